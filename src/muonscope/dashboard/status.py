"""The status document, made of the store and of what the feed has told."""

from collections.abc import Iterable
from dataclasses import replace

from muonscope.counting.doubts import Counts, doubts_of
from muonscope.counting.summary import Summary
from muonscope.dashboard.contract import ByteCounts, Rates, Source, State, Status
from muonscope.dashboard.documents import accounting_document
from muonscope.dashboard.dropped import cut
from muonscope.dashboard.limits import RATE_S
from muonscope.dashboard.standing import Standing
from muonscope.dashboard.verdicts import Outcome
from muonscope.results.message import ByteAccounting
from muonscope.results.store import ResultStore
from muonscope.transports.base import SourceStatus
from muonscope.units import ORBIT_S
from muonscope.wall_time import iso
from muonscope.wording import describe

__all__ = ["status_document"]

_ENDED = ("finished", "stopped")


def status_document(
    store: ResultStore, standing: Standing, *, now: float, viewers: int, reference: bool,
    outcome: Outcome,
) -> Status:  # fmt: skip
    """Return how all is going at ``now``, s since 1970.

    ``reference`` tells whether there is one; ``outcome`` is that of the judge.
    """
    options, fresh = standing.options, standing.freshness
    progress, dropped = standing.progress, standing.dropped
    state, reason = _state(store, standing, now)
    if state in {"waiting", "stale"}:
        outcome = outcome._replace(word="NO DATA", reason=reason)
    latest, remainder = store.latest, store.remainder
    account = store.whole.merge(remainder.summary) if remainder else store.whole
    counted = account.accounting
    told = progress.bytes or (remainder.bytes if remainder else None)
    return Status(
        state=state,
        reason=reason,
        verdict=outcome.word,
        verdict_reason=cut(outcome.reason),
        problems=outcome.problems,
        age_s=None if fresh.last_at is None else round(now - fresh.last_at, 3),
        fresh_s=fresh.fresh_s,
        old_s=fresh.old_s,
        history_s=store.history.full_s,
        version=options.version,
        run=store.run,
        detector=store.detector.name,
        source=options.source,
        started=iso(standing.started),
        now=iso(now),
        viewers=viewers,
        detector_s=round((latest.last_orbit + 1) * ORBIT_S, 3) if latest else None,
        lag_s=_lag(store, standing, state, now),
        rates=_rates(store) if state == "receiving" else None,
        words=counted.words_in if progress.words is None else progress.words,
        words_per_s=None if state in _ENDED else fresh.words_per_s,
        windows=store.windows,
        latency_ms=fresh.latency,
        sources=[_source(source) for source in progress.sources],
        accounting=accounting_document(counted),
        bytes=_bytes(told),
        rejects=told.rejects if told else {},
        duplicates=dropped.duplicates,
        malformed=dropped.malformed,
        other_runs=dropped.other_runs,
        examples=standing.examples,
        notes=list(standing.notes),
        doubts=[cut(doubt) for doubt in _doubts(standing, account, told)],
        reset_at=None if standing.reset_at is None else iso(standing.reset_at),
        reference=reference,
        config=dict(options.config),
    )


def _doubts(standing: Standing, account: Summary, told: ByteAccounting | None) -> Iterable[str]:
    """Return what the feed doubts; where results come in, what follows from their numbers."""
    if standing.progress.words is not None:
        return standing.progress.doubts
    counts = Counts.of(account)
    if told:
        counts = replace(
            counts, bytes_in=told.bytes_in, bytes_rejected=told.bytes_rejected,
            rejects=told.rejects,
        )  # fmt: skip
    return map(describe, doubts_of(counts, account.detector.name))


def _state(store: ResultStore, standing: Standing, now: float) -> tuple[State, str]:
    """Return the state, and why it is that, for people."""
    last_at = standing.freshness.last_at
    if standing.ended:
        return "stopped" if standing.failed else "finished", standing.ended
    if last_at is None:
        return "waiting", _missing(standing)
    if store.remainder is not None:
        return "finished", f"run {store.run} has ended"
    age = now - last_at
    if age <= standing.freshness.fresh_s:
        return "receiving", f"the last window came {age:.1f} s ago"
    if standing.progress.at_rest:
        return "finished", "all that was in the files is shown; what they get is shown, too"
    return "stale", f"no window since {iso(last_at)}, {age:,.0f} s ago"


def _missing(standing: Standing) -> str:
    """Say what the first window waits for, and what came instead."""
    dropped = standing.dropped
    reason = standing.awaited or f"no window has come yet from {standing.options.source}"
    if dropped.malformed:
        reason += f"; {dropped.malformed:,} messages were refused, last: {dropped.last_malformed}"
    if dropped.other_runs:
        reason += f"; {dropped.other_runs:,} messages were of other runs"
    return reason


def _lag(store: ResultStore, standing: Standing, state: State, now: float) -> float | None:
    """Return the lag; while the run is stale it grows with the clock."""
    if state == "waiting" or state in _ENDED:
        return None
    fresh = standing.freshness
    return round(fresh.lag_at(now, store.run_s) if state == "stale" else fresh.lag, 3)


def _rates(store: ResultStore) -> Rates:
    columns = store.history.columns(RATE_S)
    live = float(columns["live_s"].sum())

    def rate(name: str) -> float:
        return round(float(columns[name].sum()) / live, 3)

    return Rates(
        hits=rate("hits"),
        chambers=[rate(f"hits{c}") for c in range(store.detector.n_chambers)],
        scintillator=rate("scintillator"),
    )


def _source(source: SourceStatus) -> Source:
    return Source(**{name: getattr(source, name) for name in Source.__struct_fields__})


def _bytes(account: ByteAccounting | None) -> ByteCounts | None:
    if account is None:
        return None
    return ByteCounts(**{name: getattr(account, name) for name in ByteCounts.__struct_fields__})
