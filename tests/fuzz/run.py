"""A coverage-guided run of one target, with atheris: ``python -m tests.fuzz.run TARGET --work FOLDER [--minutes 10]``.

It begins with the seeds and the corpus, and ends with an error at the first input that makes a parser raise anything
but our errors, take 20 s or 2 GB. What it finds new lies in ``FOLDER/TARGET``; `tests.fuzz.keep` takes from there what
is worth keeping.
"""

import argparse
import sys
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Run libFuzzer on a target."""
    parser = argparse.ArgumentParser(description="Feed one parser what makes it take new ways.")
    parser.add_argument("target")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--work", type=Path, required=True, help="folder for what is found on the way")
    parser.add_argument("--max-length", type=int, default=4096)
    args = parser.parse_args()
    with atheris.instrument_imports(include=["app", "codec", "renderer", "signaling"]):
        from tests.fuzz import targets
    from tests.fuzz.seeds import seeds

    target, work = args.target, args.work / args.target
    work.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (work / f"seed-{number}").write_bytes(seed)
    options = [f"-max_len={args.max_length}", "-timeout=20", "-rss_limit_mb=2048", f"-artifact_prefix={work.parent}/"]
    options += [f"-max_total_time={int(60 * args.minutes)}", "-print_final_stats=1"]
    folders = [str(work), *([str(CORPUS / target)] if (CORPUS / target).is_dir() else [])]
    atheris.Setup([sys.argv[0], *options, *folders], lambda data: targets.run(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
