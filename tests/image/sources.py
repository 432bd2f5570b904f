"""Whether the image's build sees every file that the program is made of.

    sources.py DEP_INFO CONTEXT

DEP_INFO is what cargo wrote beside the built binary (target/debug/eventgallery.d), CONTEXT the folder that the build
stage copied. Included texts and templates are in it, which no look at the code finds as surely.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parents[2].resolve()


def missing(files, context):
    return [f for f in files if not (context / f).is_file()]


def main():
    information, context = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    _, _, names = information.read_text().partition(": ")
    paths = [pathlib.Path(re.sub(r"\\ ", " ", n)) for n in re.split(r"(?<!\\)\s+", names.strip())]
    files = []
    for path in paths:
        inside = (path if path.is_absolute() else ROOT / path).resolve()
        if inside.is_relative_to(ROOT) and "target" not in inside.relative_to(ROOT).parts:
            files.append(inside.relative_to(ROOT))
    assert len(files) > 100, f"only {len(files)} sources: is this the program's?"
    lacks = missing(files, context)
    for file in lacks:
        print(f"FAILED the build stage does not copy {file}")
    # The check itself, on a context that lacks one.
    assert missing([*files, pathlib.Path("no/such/file.rs")], context), "a missing file is not found"
    print(f"{len(files)} sources, {len(lacks)} missing")
    return 1 if lacks else 0


sys.exit(main())
