"""What a billion photos would take: a cost model, and a simulation of slow and failing machines.

    python benchmarks/trials/billion_photos.py [--photos 1e9] [--workers 1000] [--rate 180]
        [--price 0.10] [--seed 0]

Nothing is measured here. The rate is that of one worker, as `tag_rate.py` measures it; the price is
that of one worker for an hour, in any currency. `docs/scale.md` says what was assumed and why.
"""

from __future__ import annotations

import argparse
import heapq
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

HOUR = 3600.0
BLOCKS = (1_000, 10_000, 100_000)
PROCESSES = (1, 8, 64, 512)
INTERVALS = (1, 5, 20, 60, 240)
RUN = 24 * HOUR
"""Seconds of an undisturbed training run."""
SAVING = 2.0
"""Seconds that saving a state takes."""
HOPELESS = 20
"""Times the undisturbed run after which it is given up."""


@dataclass(frozen=True)
class Fleet:
    """Workers that tag photos block by block; a block counts once it is whole.

    Args:
        photos: Photos to tag.
        workers: Workers at the same time.
        rate: Photos that an undisturbed worker tags in a second.
        price: Price of a worker for an hour.
        seed: Seed of the simulation.
        spread: Standard deviation of the logarithm of a block's time.
        slow: Fraction of the workers that are slow all the time.
        slowness: Time of a slow worker in that of an undisturbed one.
        life: Hours until a worker fails, on average; failures are a Poisson process.
        restart: Seconds until a failed worker works again.
    """

    photos: float
    workers: int
    rate: float
    price: float
    seed: int
    spread: float = 0.1
    slow: float = 0.05
    slowness: float = 3.0
    life: float = 200.0
    restart: float = 300.0

    @property
    def ideal(self) -> float:
        """Seconds that undisturbed workers take."""
        return self.photos / (self.workers * self.rate)

    def paces(self, chance: np.random.Generator) -> NDArray[np.float64]:
        """Time of each worker in that of an undisturbed one: ``(W,)``."""
        return np.where(chance.random(self.workers) < self.slow, self.slowness, 1.0)

    def queued(self, block: int) -> float:
        """Seconds until all blocks are done, if each worker takes the next one when it is free."""
        chance = np.random.default_rng(self.seed)
        paces = self.paces(chance)
        fails = chance.exponential(self.life * HOUR, self.workers)
        free = [(0.0, worker) for worker in range(self.workers)]
        left, ended = round(self.photos / block), 0.0
        noise = iter(np.exp(chance.normal(0, self.spread, 2 * left + self.workers)))
        while left:
            start, worker = heapq.heappop(free)
            end = start + block / self.rate * paces[worker] * next(noise)
            if end <= fails[worker]:
                left -= 1
                ended = max(ended, end)
            else:  # the block goes back to the queue
                end = max(start, fails[worker]) + self.restart
                fails[worker] = end + chance.exponential(self.life * HOUR)
            heapq.heappush(free, (end, worker))
        return ended

    def divided(self, block: int) -> float:
        """Seconds until all are done, if each worker has its share of the photos from the start."""
        chance = np.random.default_rng(self.seed)
        own = self.photos / self.workers / self.rate * self.paces(chance)
        failures = chance.poisson(own / (self.life * HOUR))
        return float((own + failures * (self.restart + block / self.rate / 2)).max())


def print_cost(fleet: Fleet, overhead: float) -> None:
    """Print hours and cost, undisturbed and with the overhead of the simulation."""
    print("\n| | undisturbed | simulated |\n| --- | --- | --- |")
    hours = fleet.ideal / HOUR
    million = 1e6 / fleet.rate / HOUR * fleet.price
    print(f"| hours on {fleet.workers:,} workers | {hours:.2f} | {hours * overhead:.2f} |")
    total = hours * fleet.workers
    print(f"| hours of workers | {total:,.0f} | {total * overhead:,.0f} |")
    print(f"| cost of a million photos | {million:.3f} | {million * overhead:.3f} |")
    every = million * fleet.photos / 1e6
    print(f"| cost of all | {every:,.0f} | {every * overhead:,.0f} |")


def print_blocks(fleet: Fleet) -> float:
    """Print how much longer than undisturbed a run is; return that of the best queue."""
    print("\n| photos a block | shares from the start | a queue | a queue, no slow workers |")
    print("| --- | --- | --- | --- |")
    even, found = replace(fleet, slow=0.0), []
    for block in BLOCKS:
        times = fleet.divided(block), fleet.queued(block), even.queued(block)
        shares, queue, without = (time / fleet.ideal for time in times)
        found.append(queue)
        print(f"| {block:,} | {shares:.2f} | {queue:.2f} | {without:.2f} |", flush=True)
    return min(found)


def print_steps(fleet: Fleet) -> None:
    """Print how much longer a training step is that waits for the slowest process."""
    chance = np.random.default_rng(fleet.seed)
    print("\n| processes | time of a step | with one slow process |\n| --- | --- | --- |")
    for count in PROCESSES:
        times = np.exp(chance.normal(0, fleet.spread, (2_000, count)))
        slowed = times.copy()
        slowed[:, 0] *= fleet.slowness
        print(f"| {count} | {times.max(1).mean():.2f} | {slowed.max(1).mean():.2f} |")


def trained(whole: float, every: float, life: float, restart: float, seed: int) -> float:
    """Time of a training run that fails now and then and resumes; all in seconds.

    Args:
        whole: Time of an undisturbed run.
        every: Time between saved states.
        life: Mean time between failures of any of the processes.
        restart: Time from a failure to the next step.
        seed: Seed of the failures.
    """
    chance = np.random.default_rng(seed)
    done, clock, fails = 0.0, 0.0, chance.exponential(life)
    while done < whole and clock < HOPELESS * whole:
        part = min(every, whole - done)
        end = clock + part + SAVING
        if end <= fails:
            done, clock = done + part, end
        else:  # all since the last saved state is lost
            clock = fails + restart
            fails = clock + chance.exponential(life)
    return clock


def print_states(fleet: Fleet) -> None:
    """Print how long a run takes, by the minutes between saved states."""
    print(f"\n| `--state-every`, minutes | {' | '.join(f'{p} processes' for p in PROCESSES[1:])} |")
    print("| --- |" + " --- |" * len(PROCESSES[1:]))
    for minutes in INTERVALS:
        ratios = []
        for count in PROCESSES[1:]:
            life = fleet.life * HOUR / count
            times = [trained(RUN, 60 * minutes, life, fleet.restart, seed) for seed in range(20)]
            ratio = np.mean(times) / RUN
            ratios.append(f"{ratio:.2f}" if ratio < HOPELESS / 2 else "hopeless")
        print(f"| {minutes} | {' | '.join(ratios)} |")
    best = (sqrt(2 * SAVING * fleet.life * HOUR / count) / 60 for count in PROCESSES[1:])
    print(f"| best by Young's formula | {' | '.join(f'{minutes:.1f}' for minutes in best)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=float, default=1e9)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=180.0, help="photos per second of one worker")
    parser.add_argument("--price", type=float, default=0.1, help="of one worker for an hour")
    parser.add_argument("--seed", type=int, default=0)
    fleet = Fleet(**vars(parser.parse_args()))
    print(fleet)
    print_cost(fleet, print_blocks(fleet))
    print_steps(fleet)
    print_states(fleet)


if __name__ == "__main__":
    main()
