"""What the end-to-end tests share: real hubs on free ports, in folders of their own.

The programs are taken from WEIR_BINARY_DIR (default build/bin of the source tree). A hub of a test
offers what a fleet file says, not what the machine has, so that the tests mean the same on a
laptop and on a server; jobs are real processes all the same.
"""
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARIES = os.environ.get("WEIR_BINARY_DIR", os.path.join(SOURCE, "build", "bin"))
WEIR = os.path.join(BINARIES, "weir")
SEED = int(os.environ.get("WEIR_SEED", "20261124"))

# How long the tests wait for what has to happen before they say that it did not. Never a
# condition of its own: everything that is awaited comes in a fraction of it.
PATIENCE = 60.0

FLEET = """
sites:
  - name: local
    executor: {kind: local}
    pools:
      - {name: box, chip: cpu, nodes: 1, chips_per_node: 2, cpus: 8, memory: 16GiB}
"""


def free_port():
    """One that no client gets for its own end: whoever asks again and again for a hub that was
    killed could else meet itself there, and the hub would find its port taken."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="utf-8") as file:
        lowest = int(file.read().split()[0])
    choose = random.SystemRandom()
    while True:
        port = choose.randrange(min(10000, lowest // 2), lowest)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def eventually(what, condition, patience=PATIENCE):
    """Waits until condition() is true, and returns what it gave."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s in vain: {what}")
        time.sleep(0.02)


def alive(pid):
    """Whether a process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


class Answer:
    """What a command said: status, standard output, standard error."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"status {self.status}\n--- out\n{self.out}\n--- err\n{self.err}"

    @property
    def json(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"no JSON: {self!r}") from None


class Hub:
    """A hub process and the commands that talk to it."""

    def __init__(self, folder, fleet=FLEET, options=()):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = list(options)
        self.process = None
        os.makedirs(folder, exist_ok=True)
        if fleet is not None:
            path = os.path.join(folder, "fleet.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(fleet)
            # Of a laptop too the tests take eight CPUs: what they run is small.
            self.options += ["--fleet", path, "--oversubscribe"]

    def environment(self):
        return {**os.environ, "WEIR_HUB": self.url, "NO_COLOR": "1"}

    def start(self):
        self.errors = open(os.path.join(self.folder, "hub.err"), "ab")
        self.process = subprocess.Popen(
            [WEIR, "up", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--json",
             *self.options],
            stdout=subprocess.PIPE, stderr=self.errors, stdin=subprocess.DEVNULL, cwd=self.folder,
            env=self.environment())
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            self.stop()
            raise AssertionError(f"the hub did not start (status {status}): {self.said()}")
        self.ready = json.loads(line)
        return self

    def said(self):
        text = ""
        for name in ("hub.err", "data/hub.log"):
            with contextlib.suppress(FileNotFoundError):
                with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                    text += f"--- {name}\n" + "".join(file.readlines()[-30:])
        return text

    def end(self, number):
        """Ends the hub with a signal and waits until it is gone."""
        if self.process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        self.process.stdout.close()
        status = self.process.wait(timeout=PATIENCE)
        self.errors.close()
        self.process = None
        return status

    def stop(self):
        return self.end(signal.SIGTERM)

    def kill(self):
        return self.end(signal.SIGKILL)

    def weir(self, *words, input=None, cwd=None, env=None, timeout=PATIENCE):
        done = subprocess.run([WEIR, *map(str, words)], input=input, capture_output=True, text=True,
                              cwd=cwd or self.folder, timeout=timeout, errors="replace",
                              stdin=subprocess.DEVNULL if input is None else None,
                              env={**self.environment(), **(env or {})})
        return Answer(done.returncode, done.stdout, done.stderr)

    def begin(self, *words, cwd=None):
        """A command that goes on beside the test."""
        return subprocess.Popen([WEIR, *map(str, words)], stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                cwd=cwd or self.folder, env=self.environment())

    def submit(self, text, *options):
        """Submits a job file given as text; returns its id."""
        answer = self.weir("submit", "-", *options, input=text)
        if answer.status != 0:
            raise AssertionError(f"not accepted: {text}\n{answer}")
        return answer.out.strip()

    def job(self, reference):
        return self.weir("show", reference, "--json").json["jobs"][0]

    def jobs(self, reference):
        return self.weir("show", reference, "--json").json["jobs"]

    def state(self, reference):
        return self.job(reference)["state"]

    def until(self, reference, *states):
        return eventually(f"job {reference} becomes {' or '.join(states)}",
                          lambda: self.state(reference) in states)

    def request(self, method, path, body=None, headers=None, timeout=PATIENCE):
        """One request of the API, spoken by hand."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body,
                               headers={"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


class HubCase(unittest.TestCase):
    """One hub for all tests of a class."""

    options = ()
    fleet = FLEET

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        cls.hub = Hub(cls.folder, fleet=cls.fleet, options=cls.options)
        try:
            cls.hub.start()
        except BaseException:
            shutil.rmtree(cls.folder, ignore_errors=True)
            raise

    @classmethod
    def tearDownClass(cls):
        with contextlib.suppress(Exception):
            cls.hub.weir("cancel", *cls.hub.weir("ps", "--ids").out.split())
            eventually("the last jobs end", lambda: not cls.hub.weir("ps", "--ids").out.strip(), 20)
        cls.hub.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.maxDiff = None

    def path(self, name):
        """A file of this test alone."""
        folder = os.path.join(self.folder, self.id().rsplit(".", 1)[1])
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, name)

    def write(self, name, text):
        path = self.path(name)
        with open(path, "w" if isinstance(text, str) else "wb") as file:
            file.write(text)
        return path

    def read(self, path):
        with contextlib.suppress(FileNotFoundError):
            with open(path, encoding="utf-8") as file:
                return file.read()
        return ""


def main():
    if not os.access(WEIR, os.X_OK):
        sys.exit(f"{WEIR} is not there; build weir, or say where it is with WEIR_BINARY_DIR")
    print(f"weir of {BINARIES}, seed {SEED}", flush=True)
    random.seed(SEED)
    unittest.main(verbosity=2)
