"""The join of reads with the hot list: CPU per read, memory and loading time per entry, latency.

    python -m bench.join --json [--sizes 10000,100000,1000000] [--reads 200000] [--repeat 2]

Kafka and the worker are real processes. For CPU per read the process is stopped (SIGSTOP) while
all reads are put on the topic, and its own CPU time is taken from when it goes on until its group
has committed the last read: what other processes do at the time hardly counts. Two baselines run
in the same way on the same list and reads (`_join_baselines`); the hits are compared.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from alpr_common.messages.hit import Hit
from alpr_common.topics import HITS, HOTLIST, HOTLIST_PATTERNS, READS
from alpr_local.folders import repository
from alpr_local.processes import ServiceProcess, Services
from alpr_local.stack import Stack, temporary_stack
from alpr_matcher.consumers import GROUP
from bench._join_messages import HIT_SHARE, patterns, publish, reads, records
from tests.support.topics import caught_up
from tests.support.waiting import eventually

_CURRENT = "alpr_matcher_hotlist_current_timestamp_seconds"
_DEADLINE_SECONDS = 900.0
# Long sessions: a process that is stopped for a while must not lose its partitions.
_WORKER = {"ALPR_MATCHER_WORKER_SESSION_TIMEOUT_SECONDS": "60"}


class HitsSeen:
    """What comes on the topic of hits, and when."""

    def __init__(self, servers: str) -> None:
        self._consumer = AIOKafkaConsumer(
            HITS.name, bootstrap_servers=servers, auto_offset_reset="earliest",
            enable_auto_commit=False,
        )  # fmt: skip
        self.seen: dict[tuple[str, str, str], float] = {}

    async def follow(self) -> None:
        await self._consumer.start()
        try:
            while True:
                for messages in (await self._consumer.getmany(timeout_ms=200)).values():
                    now = time.time()
                    for message in messages:
                        hit = Hit.from_bytes(message.value)
                        what = (str(hit.read.read_id), str(hit.entry.entry_id), hit.kind.value)
                        self.seen.setdefault(what, now)
        finally:
            await self._consumer.stop()

    async def at_least(self, number: int) -> set[tuple[str, str, str]]:
        await eventually(lambda: len(self.seen) >= number, _DEADLINE_SECONDS)
        return set(self.seen)


class Bench:
    """One stack, and what was measured on it."""

    def __init__(self, stack: Stack, options: argparse.Namespace) -> None:
        self.stack, self.options = stack, options
        self.servers = stack.kafka_bootstrap_servers
        self.services = Services(stack)
        self.hits = HitsSeen(self.servers)
        self.sizes: list[int] = options.sizes
        self.figures: dict[str, Any] = {}

    async def drain(self, pids: Sequence[int], group: str, listed: int, series: str) -> float:
        """CPU microseconds per read of these processes together."""
        processes = [psutil.Process(pid) for pid in pids]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        self.hits.seen.clear()
        await publish(self.servers, READS.name, reads(self.options.reads, listed, series))
        before = float(sum(sum(p.cpu_times()[:2]) for p in processes))
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

        async def done() -> bool:
            return await caught_up(self.servers, group, READS)

        await eventually(done, _DEADLINE_SECONDS, interval_seconds=0.3)
        spent = float(sum(sum(p.cpu_times()[:2]) for p in processes)) - before
        await self.hits.at_least(int(self.options.reads * HIT_SHARE))
        return float(spent / self.options.reads * 1e6)

    async def least(
        self, pids: Sequence[int], group: str, listed: int, repeat: int | None = None
    ) -> float:
        times = range(repeat or self.options.repeat)
        return round(min([await self.drain(pids, group, listed, "reads") for _ in times]), 2)

    async def worker(self, instance: str = "") -> ServiceProcess:
        return await asyncio.to_thread(
            self.services.start, "matcher-worker", instance=instance, environment=_WORKER,
            deadline_seconds=_DEADLINE_SECONDS,
        )  # fmt: skip

    async def gauge(self, worker: ServiceProcess, name: str) -> float:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            lines = (await client.get(f"{worker.url}/metrics")).text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    async def as_the_list_grows(self) -> ServiceProcess:
        """Cost per read and memory at each size, in one worker that follows the list."""
        worker = await self.worker()
        empty, listed = resident(worker), 0
        rows = self.figures["as_the_list_grows"] = {}
        for size in self.sizes:
            say(f"{size} entries")
            await publish(self.servers, HOTLIST.name, records(listed, size))
            listed = size

            async def has_all(size: int = size) -> bool:
                return await self.gauge(worker, "alpr_matcher_hotlist_keys") == size

            await eventually(has_all, _DEADLINE_SECONDS, interval_seconds=0.5)
            rows[size] = {"cpu_microseconds_per_read": await self.least([pid(worker)], GROUP, size)}
            grown = resident(worker) - empty
            rows[size]["resident_bytes_per_entry"] = round(grown / size)
        costs = [row["cpu_microseconds_per_read"] for row in rows.values()]
        self.figures["cost_at_most_listed_over_least"] = round(costs[-1] / costs[0], 2)
        return worker

    async def loading(self, worker: ServiceProcess) -> None:
        """Ended and started: without its copy of the list, and with it.

        Ended in order: of one that was killed, the group waits out the session first.
        """
        rows = self.figures["start_to_ready"] = {"entries": self.sizes[-1]}
        for name in ("cold", "warm"):
            say(f"{name} start")
            await asyncio.to_thread(worker.terminate, 30)
            if name == "cold":
                forget_copy(worker)
            began = time.monotonic()
            await self.worker()
            rows[f"{name}_seconds"] = round(time.monotonic() - began, 1)
            used = psutil.Process(pid(worker)).cpu_times()
            rows[f"{name}_cpu_seconds"] = round(used.user + used.system, 1)
            rows[f"{name}_resident_mebibytes"] = round(resident(worker) / 2**20)
            if name == "cold":

                async def noted() -> bool:
                    return (
                        await self.gauge(worker, "alpr_matcher_hotlist_current_timestamp_seconds")
                        > 0
                    )

                await eventually(noted, 60)

    async def against_baselines(self, worker: ServiceProcess) -> None:
        size, found = self.sizes[-1], {}
        costs = {"worker": await self.least([pid(worker)], GROUP, size)}
        found["worker"] = set(self.hits.seen)
        await asyncio.to_thread(worker.terminate, 30)
        for name, group in (("plain", "bench-plain"), ("idiomatic", "bench-idiomatic")):
            say(f"{name} baseline")
            process = start_baseline(name, self.servers, self.services)
            try:
                assert process.stdout is not None
                # Faust draws on standard output before the word that is waited for.
                while not (said := await asyncio.to_thread(process.stdout.readline)).endswith(
                    b"ready\n"
                ):
                    assert said, f"the {name} baseline ended"
                # Once is enough for the one that takes most of the time by far.
                repeat = 1 if name == "idiomatic" else self.options.repeat
                costs[name] = await self.least([process.pid], group, size, repeat)
                found[name] = set(self.hits.seen)
            finally:
                process.kill()
                process.wait()
        self.figures["against_baselines"] = {
            "cpu_microseconds_per_read": costs,
            "reads_per_cpu_second": {name: round(1e6 / cost) for name, cost in costs.items()},
            "times_idiomatic": round(costs["idiomatic"] / costs["worker"], 1),
            "share_of_plain": round(costs["plain"] / costs["worker"], 2),
            "hits": {name: len(hits) for name, hits in found.items()},
            "hits_are_identical": found["worker"] == found["plain"] == found["idiomatic"],
        }

    async def latency(self, _: ServiceProcess, rate: int = 2000, seconds: int = 30) -> None:
        """From the producer's timestamp of a read until somebody has its hit from Kafka."""
        producer = AIOKafkaProducer(bootstrap_servers=self.servers, acks="all")
        await producer.start()
        self.hits.seen.clear()
        sent: dict[str, float] = {}
        try:
            tick, each = 0.01, rate // 100
            series = reads(rate * seconds, self.sizes[-1], "latency")
            due = time.monotonic()
            for _tick in range(seconds * 100):
                for _read in range(each):
                    key, value = next(series)
                    at = time.time()
                    await producer.send(READS.name, value, key, timestamp_ms=int(at * 1000))
                    sent[json.loads(value)["read_id"]] = at
                due += tick
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            await producer.stop()
        late = time.monotonic() - due
        await self.hits.at_least(int(rate * seconds * HIT_SHARE))
        # Not the first two seconds: connections are made then, the producer's too.
        from_when = min(sent.values()) + 2
        begun = {what[0]: at for what, at in self.hits.seen.items() if sent[what[0]] > from_when}
        times = [(at - sent[read_id]) * 1000 for read_id, at in begun.items()]
        self.figures["read_to_hit"] = {
            "reads_per_second": round(rate * seconds / (seconds + max(0.0, late))),
            "hits": len(times),
            **{f"p{p}_milliseconds": round(float(np.percentile(times, p)), 1) for p in (50, 99)},
        }

    async def two_workers(self, worker: ServiceProcess) -> None:
        one = await self.least([pid(worker)], GROUP, self.sizes[-1])
        second = await self.worker("second")
        two = await self.least([pid(worker), pid(second)], GROUP, self.sizes[-1])
        self.figures["two_workers"] = {
            "cpu_microseconds_per_read": {"one": one, "two": two},
            "two_over_one": round(two / one, 2),
        }
        await asyncio.to_thread(second.terminate, 30)

    async def with_patterns(self, worker: ServiceProcess, number: int = 1000) -> None:
        """The same reads with partial entries listed, none of which they fit."""
        producer = AIOKafkaProducer(bootstrap_servers=self.servers)
        await producer.start()
        for key, said in patterns(number):
            await producer.send(HOTLIST_PATTERNS.name, said, key)
        await producer.stop()

        async def has_all() -> bool:
            return await self.gauge(worker, "alpr_matcher_hotlist_patterns") == number

        before = await self.least([pid(worker)], GROUP, self.sizes[-1])
        await eventually(has_all, 60)
        after = await self.least([pid(worker)], GROUP, self.sizes[-1])
        self.figures["with_patterns"] = {
            "patterns": number,
            "cpu_microseconds_per_read": {"without": before, "with": after},
        }

    @property
    def measures(self) -> "dict[str, Callable[[ServiceProcess], Awaitable[None]]]":
        return {
            "loading": self.loading,
            "latency": self.latency,
            "two_workers": self.two_workers,
            "patterns": self.with_patterns,
            "baselines": self.against_baselines,
        }

    async def run(self) -> dict[str, Any]:
        read = next(reads(1, 10, "size"))
        self.figures["reads"] = {"number": self.options.reads, "bytes": len(read[1])}
        following = asyncio.create_task(self.hits.follow())
        try:
            worker = await self.as_the_list_grows()
            for name, measure in self.measures.items():
                if name in self.options.only:
                    await measure(worker)
                    say(json.dumps(self.figures))
        finally:
            following.cancel()
            await asyncio.to_thread(self.services.stop_all)
        return self.figures


async def _run(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    return await Bench(stack, options).run()


def forget_copy(worker: ServiceProcess) -> None:
    folder = Path(worker.environment["ALPR_MATCHER_WORKER_DATA_FOLDER"])
    for file in folder.glob("hotlist.sqlite*"):
        file.unlink()


def start_baseline(name: str, servers: str, services: Services) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "bench._join_baselines", name, servers],
        stdout=subprocess.PIPE,
        cwd=repository(),
        env=services.environment_for_tools(),
    )


def pid(process: ServiceProcess) -> int:
    assert process.pid is not None
    return process.pid


def resident(process: ServiceProcess) -> int:
    return int(psutil.Process(pid(process)).memory_info().rss)


def say(what: object) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the figures as JSON (the only form)")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="entries, ascending")
    parser.add_argument("--reads", type=int, default=200_000)
    parser.add_argument(
        "--repeat", type=int, default=2, help="of each measurement the least counts"
    )
    parser.add_argument(
        "--only",
        default="loading,latency,two_workers,patterns,baselines",
        help="what to measure besides the growing list",
    )
    options = parser.parse_args()
    options.only = options.only.split(",")
    options.sizes = [int(size) for size in options.sizes.split(",")]
    with temporary_stack(say) as stack:
        stack.create_topics()
        print(json.dumps(asyncio.run(_run(stack, options)), indent=1))


if __name__ == "__main__":
    main()
