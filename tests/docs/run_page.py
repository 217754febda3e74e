#!/usr/bin/env python3
"""Runs a page of the documentation as a reader would, against a real hub.

    run_page.py --bin DIR PAGE.md        every block of the page, in order, in an empty folder
    run_page.py --bin DIR --write PAGE.md   the same, and each ```text block becomes what was printed
    run_page.py --bin DIR --campaign D   a folder of examples/ as `weir up --campaign --once`

What the blocks mean: a ```sh block is run by bash with -eu; a ```text block after it is what it
prints, line by line and in order, where … stands for anything and blanks count as one; a ```yaml
block after a line <!-- file: NAME --> is written to NAME; after <!-- same as: PATH --> it must be
equal to that file of the repository; a ```sh block after <!-- hub --> runs in the background until
the page ends, on a free port. Other blocks (```console) are for people.

--write is for pages whose figures follow a model: lines with … that still match stay as they are, and
a … alone in a block goes on standing for the lines between as many above and below it.
"""
import argparse
import difflib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


class Failure(Exception):
    pass


def blocks(text):
    """(line, kind, note, body) of each fenced block; note is the comment right above it."""
    found, note, opened = [], "", None
    for number, line in enumerate(text.split("\n"), 1):
        if opened is None:
            if fence := re.match(r"```(\w*)$", line):
                opened = (number, fence.group(1), note, [])
            elif comment := re.match(r"<!-- (.*) -->$", line):
                note = comment.group(1)
            elif line.strip():
                note = ""
        elif line == "```":
            found.append((*opened[:3], "\n".join(opened[3]) + "\n"))
            opened, note = None, ""
        else:
            opened[3].append(line)
    return found


def squeezed(line):
    return re.sub(r"\s+", " ", line).strip()


def check_output(where, expected, printed):
    """Each expected line, in order; lines in between are allowed where the page leaves them out."""
    lines = [squeezed(line) for line in printed.split("\n")]
    at = 0
    for line in expected.split("\n"):
        line = squeezed(line)
        if not line or line == "…":
            continue
        while at < len(lines) and not matches(line, lines[at]):
            at += 1
        if at == len(lines):
            raise Failure(f"{where}: the page says it prints\n    {line}\nbut it printed\n{printed}")
        at += 1


def matches(line, printed):
    parts = (re.escape(part) for part in squeezed(line).split("…"))
    return re.fullmatch(".*".join(parts), squeezed(printed)) is not None


def rewritten(expected, printed):
    """The block with what was printed."""
    old, new = expected.rstrip("\n").split("\n"), printed.rstrip("\n").split("\n")
    if "…" in old:
        above = old.index("…")
        below = len(old) - above - 1
        new = new[:above] + ["…"] + new[len(new) - below:]
    patterns = [line for line in old if "…" in line and line != "…"]
    kept = [next((line for line in patterns if matches(line, one)), one) for one in new]
    return "\n".join(kept) + "\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_hub(url, process):
    for _ in range(600):
        try:
            urllib.request.urlopen(url + "/v1/health", timeout=2).read()
            return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                raise Failure(f"the hub ended with {process.returncode}") from None
            time.sleep(0.1)
    raise Failure("the hub did not answer within a minute")


def stop(process):
    if process and process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_page(page, environment, folder, write=False):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    found, lines = blocks(text), text.split("\n")
    port, hub, printed, ran, bodies = free_port(), None, "", 0, {}
    environment = dict(environment, WEIR_HUB=f"http://127.0.0.1:{port}")
    # A reader has the examples at hand; the page finds them as in the repository.
    shutil.copytree(os.path.join(ROOT, "examples"), os.path.join(folder, "examples"),
                    ignore=shutil.ignore_patterns("out", "__pycache__"))
    try:
        for line, kind, note, body in found:
            where = f"{os.path.relpath(page, ROOT)}:{line}"
            if note.startswith("same as: "):
                with open(os.path.join(ROOT, note[9:]), encoding="utf-8") as file:
                    other = file.read()
                if other != body:
                    raise Failure(f"{where} differs from {note[9:]}:\n" + "".join(
                        difflib.unified_diff(other.splitlines(True), body.splitlines(True))))
            if note.startswith("file: "):
                with open(os.path.join(folder, note[6:]), "w", encoding="utf-8") as file:
                    file.write(body)
            elif kind == "sh" and note == "hub":
                command = f"exec {body.strip()} --listen 127.0.0.1:{port}"
                hub = subprocess.Popen(["bash", "-euc", command], cwd=folder, env=environment,
                                       stdout=subprocess.DEVNULL, start_new_session=True)
                wait_for_hub(environment["WEIR_HUB"], hub)
            elif kind == "sh":
                done = subprocess.run(["bash", "-euc", body], cwd=folder, env=environment, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
                printed, ran = done.stdout, ran + 1
                print(f"--- {where}\n{body}{printed}", flush=True)
                if done.returncode != 0:
                    raise Failure(f"{where}: the block ended with {done.returncode}")
            elif kind == "text" and write:
                bodies[line] = (body, rewritten(body, printed))
            elif kind == "text":
                check_output(where, body, printed)
    finally:
        stop(hub)
    # From the end on, so that numbers of lines stay what they are.
    for line, (old, new) in sorted(bodies.items(), reverse=True):
        lines[line:line + old.count("\n")] = new.rstrip("\n").split("\n")
    if bodies:
        with open(page, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
    print(f"{os.path.relpath(page, ROOT)}: {ran} blocks ran and printed what the page says")


def run_campaign(source, environment, folder):
    """A fresh copy, so that a test never writes into the sources."""
    campaign = os.path.join(folder, os.path.basename(source))
    shutil.copytree(source, campaign, ignore=shutil.ignore_patterns("out", "__pycache__"))
    child = subprocess.Popen(["weir", "up", "--campaign", campaign, "--once",
                              "--listen", f"127.0.0.1:{free_port()}"],
                             cwd=folder, env=environment, start_new_session=True)
    try:
        status = child.wait(800)
    except subprocess.TimeoutExpired:
        raise Failure("the campaign did not end") from None
    finally:
        stop(child)
    if status != 0:
        raise Failure(f"weir up --campaign --once ended with {status}")
    with open(os.path.join(campaign, "out", "campaign.png"), "rb") as file:
        if file.read(8) != b"\x89PNG\r\n\x1a\n":
            raise Failure("campaign.png is not a picture")
    with open(os.path.join(campaign, "out", "results.md"), encoding="utf-8") as file:
        print(file.read())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--campaign")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("page", nargs="?")
    options = parser.parse_args()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    environment["PATH"] = os.path.abspath(options.bin) + os.pathsep + environment["PATH"]
    with tempfile.TemporaryDirectory(prefix="weir-docs-") as folder:
        try:
            if options.campaign:
                run_campaign(os.path.abspath(options.campaign), environment, folder)
            else:
                run_page(os.path.abspath(options.page), environment, folder, options.write)
        except Failure as failure:
            print(failure, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
