"""``nerfcall doctor``: what this machine has for a call and what to do about what it lacks."""

import argparse

HELP = "tell what this machine has for a call and what to do about what it lacks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--fetch", action="store_true", help="bring the model files that are missing first")
    parser.add_argument("--json", action="store_true", help="write a JSON list instead of a table")


def run(args: argparse.Namespace) -> int:
    """Print the findings; 0 when nothing that is needed is missing, otherwise 1."""
    from app.assets import ASSETS, asset_path
    from app.diagnosis import as_json, findings

    if args.fetch:
        for name in ASSETS:
            asset_path(name)
    found = []
    for finding in findings():
        found.append(finding)
        if args.json:
            continue
        mark = "ok     " if finding.ok else "MISSING" if finding.needed else "absent "
        print(f"{mark}  {finding.topic:<32}  {finding.detail}", flush=True)
        if not finding.ok:
            print(f"{'':43}-> {finding.remedy}")
    if args.json:
        print(as_json(found))
    return 0 if all(finding.ok or not finding.needed for finding in found) else 1
