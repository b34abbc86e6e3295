"""What the crash suite compares in the end: each paid call of the services with what the ledger says of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import genstep
from genstep.models import Generation
from genstep.sandbox.server import SandboxServer


@dataclass
class Reckoning:
    """Prompts by what became of them. Each was asked for once, so each may be charged once; and once more for each time
    that it had failed before somebody asked for it, for failures are never answers."""

    charged: set[str] = field(default_factory=set)
    saved: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    #: charged, with an outcome that the ledger calls uncertain, and the services of these
    perhaps: dict[str, str] = field(default_factory=dict)
    #: called uncertain by the ledger, though the service never took it
    feared: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    #: how often it was asked for once more, after it had failed
    anew: Counter[str] = field(default_factory=Counter)
    #: charged, and neither saved, failed nor uncertain, or said to be given back and is not: in a sentence each
    lost: list[str] = field(default_factory=list)
    #: anything else that is wrong: in a sentence each
    wrong: list[str] = field(default_factory=list)
    #: what a kill may leave on the disk, by kind
    left: Counter[str] = field(default_factory=Counter)


def reckon(server: SandboxServer, client: genstep.Client, folder: Path) -> Reckoning:
    """Compare the server's bookings with the ledger, and the ledger with the files."""
    found = Reckoning()
    jobs = server.app.state.jobs
    booked = [jobs[charge.slug, charge.job] for charge in server.control.charges() if not charge.refund]
    slugs = {job.fields["prompt"]: job.account.slug for job in booked}
    refunded = {job.fields["prompt"] for job in booked if job.refunded}
    made: dict[str, Generation] = {}
    failed = Counter[str]()
    for job in client.jobs():
        one = client.show(job.id)
        if made.setdefault(job.prompt, one) is not one and one.status == "failed":
            failed[job.prompt] += 1
    # a failure is no answer: who asks for it afterwards buys it anew
    found.anew = failed & Counter(job.fields["prompt"] for job in booked if job.failed)
    found.failed = {f"{prompt}, time {n + 1}" for prompt, times in found.anew.items() for n in range(times)}
    times = Counter(job.fields["prompt"] for job in booked) - found.anew
    found.charged = set(times) | found.failed
    found.twice = {prompt for prompt, n in times.items() if n > 1}
    for prompt in times:
        if prompt not in made:
            found.lost.append(f"{prompt}: charged, and not in the ledger")
    for prompt, one in made.items():
        if one.status == "uncertain":
            if prompt in times:
                found.perhaps[prompt] = slugs[prompt]
            else:
                found.feared.add(prompt)
        elif one.status == "failed":
            if prompt in times and one.cost.refunded and prompt not in refunded:
                found.lost.append(f"{prompt}: charged, and the ledger says that it was given back")
            elif prompt in times:
                found.failed.add(prompt)
        elif one.status == "completed":
            if prompt in times:
                found.saved.add(prompt)
            else:
                found.wrong.append(f"{prompt}: saved, and never charged")
            found.wrong += [f"{prompt}: {why}" for why in _amiss(one)]
        elif prompt in times:
            found.lost.append(f"{prompt}: charged, and {one.status} for ever ({one.id})")
        else:
            found.wrong.append(f"{prompt}: not charged, and {one.status} for ever ({one.id})")
    found.left["replies in the spool"] = len(list(folder.rglob("*.reply")))
    found.left["parts of files"] = len([path for path in folder.rglob("*") if ".part" in path.name])
    return found


def _amiss(one: Generation) -> list[str]:
    """What is wrong with the files of a saved generation."""
    if not one.assets:
        return ["saved without a file"]
    wrong = []
    for asset in one.assets:
        if asset.path is None or not asset.path.is_file():
            wrong.append(f"its file {asset.uri} is not there")
            continue
        data = asset.path.read_bytes()
        if len(data) != asset.size or hashlib.sha256(data).hexdigest() != asset.sha256:
            wrong.append(f"its file {asset.uri} is not what was saved")
    return wrong
