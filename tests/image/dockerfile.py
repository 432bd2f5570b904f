"""Does a Dockerfile's steps without an engine, as far as files go.

    dockerfile.py copy STAGE FOLDER [OTHER=FOLDER]...   its COPY instructions; --from=OTHER reads that folder
    dockerfile.py run STAGE                             its RUN instructions, as shell commands
    dockerfile.py settings STAGE                        USER, WORKDIR, ENV, ENTRYPOINT, CMD as JSON

STAGE is a name, or `final`. Of .dockerignore it knows what ours uses: `*`, `!path`, `**/name`.
"""

import fnmatch
import json
import pathlib
import re
import shlex
import shutil
import sys

ROOT = pathlib.Path(__file__).parents[2]


def stages(text):
    """Name of each stage, and its instructions: word and rest, with continued lines joined."""
    found, current = {}, None
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            name = rest.split(" AS ")[1] if " AS " in rest else "final"
            current = found[name] = []
        elif word:
            current.append((word, rest.strip()))
    return found


def ignored(path, lines):
    """Whether the context leaves this path out; the last line that matches counts."""
    verdict = False
    for line in lines:
        keep, pattern = line.startswith("!"), line.lstrip("!")
        parts = path.split("/")
        if pattern.startswith("**/"):
            matches = any(fnmatch.fnmatch(part, pattern[3:]) for part in parts)
        else:
            # A folder stands for all that is in it.
            depth = pattern.count("/") + 1
            matches = fnmatch.fnmatch("/".join(parts[:depth]), pattern)
        if matches:
            verdict = not keep
    return verdict


def context():
    """Files of the build context, relative to the root."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    kept = {line.lstrip("!").split("/")[0] for line in lines if line.startswith("!")}
    for name in sorted(kept):
        top = ROOT / name
        for file in [top] if top.is_file() else sorted(top.rglob("*")):
            path = file.relative_to(ROOT).as_posix()
            if file.is_file() and not ignored(path, lines):
                yield path


def copy(instructions, folder, others):
    at = "/"
    for word, rest in instructions:
        if word == "WORKDIR":
            at = rest
        if word != "COPY":
            continue
        arguments = shlex.split(rest)
        flags = dict(a[2:].split("=", 1) for a in arguments if a.startswith("--"))
        *sources, target = [a for a in arguments if not a.startswith("--")]
        into = folder / (pathlib.PurePosixPath(at) / target).relative_to("/")
        if "from" in flags:
            base = pathlib.Path(others[flags["from"]])
            for source in sources:
                found = base / source.lstrip("/")
                into.parent.mkdir(parents=True, exist_ok=True)
                if found.is_dir():
                    shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True)
                else:
                    shutil.copy2(found, into)
            if "chown" in flags:
                user, _, group = flags["chown"].partition(":")
                shutil.chown(into, int(user), int(group))
            continue
        for source in sources:
            files = [p for p in context() if p == source or p.startswith(source.rstrip("/") + "/")]
            if not files:
                sys.exit(f"COPY {source}: not in the build context")
            for path in files:
                # A file goes into the folder, a folder's content goes into it.
                inner = pathlib.PurePath(path).name if path == source else path[len(source.rstrip("/")) + 1 :]
                to = into / inner
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, to)


def settings(instructions):
    found = {"ENV": {}}
    for word, rest in instructions:
        if word == "ENV":
            found["ENV"] |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif word in ("ENTRYPOINT", "CMD"):
            found[word] = json.loads(rest)
        elif word in ("USER", "WORKDIR"):
            found[word] = rest
    return found


def main():
    command, name, *rest = sys.argv[1:]
    instructions = stages((ROOT / "Dockerfile").read_text())[name]
    if command == "copy":
        copy(instructions, pathlib.Path(rest[0]), dict(r.split("=", 1) for r in rest[1:]))
    elif command == "run":
        for word, command_line in instructions:
            if word == "RUN":
                print(re.sub(r"--mount=\S+\s+", "", command_line))
    else:
        print(json.dumps(settings(instructions)))


main()
