"""Runs one real `bulkhead-pce serve` process on loopback and stops it again."""

import json
import os
import pathlib
import signal
import subprocess
import time

START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 30
REPO = pathlib.Path(__file__).resolve().parents[3]


def binary():
    """Path of the server under test: $BULKHEAD_PCE, else the newest one built in the target directory."""
    named = os.environ.get("BULKHEAD_PCE")
    if named:
        return pathlib.Path(named)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target"))
    built = [p for p in (target / "debug/bulkhead-pce", target / "release/bulkhead-pce") if p.exists()]
    if not built:
        raise FileNotFoundError(f"no bulkhead-pce under {target}: build it, or name it in BULKHEAD_PCE")
    return max(built, key=lambda p: p.stat().st_mtime)


class Server:
    """One server process over its own data directory; `boot` holds the bootstrap file once started."""

    def __init__(self, root, *extra):
        self.root = pathlib.Path(root)
        self.extra = list(extra)
        self.boot = None
        self.process = None
        self.log = self.root / "server.log"

    def start(self):
        """Starts the process and waits until it has written its bootstrap file.

        Raises RuntimeError with the end of the log if it exits or does not come up in time.
        """
        boot = self.root / "bootstrap.json"
        boot.unlink(missing_ok=True)
        command = [
            str(binary()), "serve", "--data-dir", str(self.root / "data"),
            "--https", "127.0.0.1:0", "--http", "127.0.0.1:0",
            "--bootstrap-out", str(boot), "--rate-limit", "0", *self.extra,
        ]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"server exited with {self.process.returncode} at start\n{self.log_tail()}")
            self.boot = self._read(boot)
            if self.boot:
                return self
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"no bootstrap file after {START_TIMEOUT_S} s\n{self.log_tail()}")

    @staticmethod
    def _read(boot):
        try:
            return json.loads(boot.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def stop(self):
        """Sends SIGTERM and returns the exit code; a server that does not stop is killed and counts as -9."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def memory_kib(self, field="VmRSS"):
        """A memory figure of the process in KiB, by its name in /proc/PID/status (VmRSS, VmHWM)."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    def log_tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
