"""How much is measured: in full, or quickly."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Counts and sizes of one run of the bench."""

    quick: bool
    runs: int
    """Runs of the figures of which a median is given."""
    single_seconds: float
    """About how long one run of the single submissions takes."""
    single_items_max: int
    workers: int = 8
    per_request: int = 100
    batch_records: int = 1000
    batches_per_worker: int = 3
    idle_samples: int = 300
    half_samples: int = 200
    sdk_drafts: int = 1_000
    audit_items: int = 100_000
    catchup_items: int = 100_000
    seal_mb: int = 4096
    growth_records: int = 1_000_000
    growth_case_events: int = 10_000
    growth_batched_records: int = 1_000_000
    disk_batches: int = 50
    validator_blocks: int = 20
    profile_items: int = 8_000
    profile_batches: int = 16
    commands: int = 11
    """Processes started for each figure of a whole command."""


FULL = Settings(quick=False, runs=5, single_seconds=10.0, single_items_max=40_000)
QUICK = Settings(
    quick=True,
    runs=2,
    single_seconds=3.0,
    single_items_max=5_000,
    batches_per_worker=1,
    idle_samples=30,
    half_samples=20,
    sdk_drafts=200,
    audit_items=4_000,
    catchup_items=1_200,
    seal_mb=256,
    growth_records=8_000,
    growth_case_events=2_000,
    growth_batched_records=40_000,
    disk_batches=5,
    validator_blocks=3,
    profile_items=1_600,
    profile_batches=4,
    commands=5,
)
