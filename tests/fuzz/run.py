"""A coverage-guided run of one target, with atheris: ``python -m tests.fuzz.run TARGET --work FOLDER [--minutes 10]``.

It begins with the seeds and the corpus, and ends with an error at the first input that makes a parser raise anything
but our errors, take 20 s or 1 GB. What it finds new lies in ``FOLDER/TARGET``; `tests.fuzz.keep` takes from there what
is worth keeping.
"""

import argparse
import resource
import sys
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent / "corpus"

MOST_MEMORY = 1 << 20
"""KiB that one input may take."""
FUZZER_MEMORY = 8192
"""MB that a run may take: what is instrumented keeps up to 3 KB of each input, and a run has a million of them."""


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
    options = [
        f"-max_len={args.max_length}",
        "-timeout=20",
        f"-rss_limit_mb={FUZZER_MEMORY}",
        f"-artifact_prefix={work.parent}/",
    ]
    options += [f"-max_total_time={int(60 * args.minutes)}", "-print_final_stats=1"]
    folders = [str(work), *([str(CORPUS / target)] if (CORPUS / target).is_dir() else [])]

    def feed(data: bytes) -> None:
        before = _peak_memory()
        targets.run(target, data)
        assert _peak_memory() - before < MOST_MEMORY, "an input takes more memory than any may"

    atheris.Setup([sys.argv[0], *options, *folders], feed)
    atheris.Fuzz()


def _peak_memory() -> int:
    """Return the most memory that this process ever had, KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
