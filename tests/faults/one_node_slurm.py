"""A real Slurm of one node, in a folder of its own, for as long as a test lasts."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
CONF = """
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=2
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
KillWait=2
GresTypes=gpu
NodeName={host} CPUs={cpus} RealMemory=500 Gres=gpu:1 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=60 State=UP
"""


def impossible() -> str:
    """Why it cannot be started here; '' if it can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"Slurm's {missing[0]} is not installed (Debian: slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "Slurm's daemons need root"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Start munged, slurmctld and slurmd; the slurm.conf. They are stopped by their ids."""
    host = socket.gethostname().partition(".")[0]
    conf = folder / "slurm.conf"
    (folder / "state").mkdir(parents=True)
    (folder / "spool").mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    cpus = min(2, os.cpu_count() or 1)
    conf.write_text(CONF.format(host=host, folder=folder, ports=_free_ports(), cpus=cpus))
    # A device file that every machine has: what it is of, only the program on the node knows.
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    environment = os.environ | {"SLURM_CONF": str(conf)}
    files = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munged.pid"}
    files |= {"log-file": folder / "munged.log", "seed-file": folder / "munged.seed"}
    munged = ["munged", "--force", *(f"--{name}={path}" for name, path in files.items())]
    try:
        for command in (munged, ["slurmctld"], ["slurmd"]):
            subprocess.run(command, env=environment, check=True)
        _wait_for_node(environment)
        yield conf
    finally:
        subprocess.run(["scancel", "--me", "--signal=KILL"], env=environment)
        subprocess.run(["scancel", "--me"], env=environment)
        _wait_for_node(environment)
        for name in ("slurmd", "slurmctld", "munged"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((folder / f"{name}.pid").read_text()), 15)


def _wait_for_node(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        asked = ["sinfo", "--noheader", "--format=%T"]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True)
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    raise AssertionError("the node did not come up")


def _free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for one in sockets:
            one.bind(("", 0))
        return [int(one.getsockname()[1]) for one in sockets]
