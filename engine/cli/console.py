"""What a person sees of a run: grouped by task, findings first."""

from __future__ import annotations

import time
from collections import defaultdict
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from engine import events as e
from engine.cli.detail import described, details, diff_lines
from engine.cli.style import Painter, names, natural
from engine.redact import escape
from engine.units import count, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.cli.screen import Screen

SYMBOLS = {
    "unknown": ("?", "magenta"),
    "unreachable": ("✗", "red"),
    "failed": ("✗", "red"),
    "finding": ("!", "yellow"),
    "changed": ("~", "yellow"),
    "ok": ("✓", "green"),
    "skipped": ("-", "dim"),
}
"""How a task ended: the symbol and its colour, the gravest first."""

LABEL = 12
NAME = 30
"""Columns of a phase's name and of a task's."""
MOST = 8
"""Lines of what is under way on a terminal."""
SAY_AGAIN = 30.0
"""Seconds between two words on a long wait, where nothing moves on the screen."""


class Console:
    """A sink for people."""

    def __init__(
        self,
        screen: Screen,
        run: str,
        *,
        colour: bool,
        live: bool,
        verbosity: int = 0,
        diff: bool = False,
    ) -> None:
        """Show on this screen.

        Args:
            screen: where lines go.
            run: its id.
            colour: whether to use it.
            live: the screen shows what is under way by itself.
            verbosity: 1 tells results and skipped tasks, 2 more of their output.
            diff: show each change's before and after.
        """
        self._screen = screen
        self._paint = Painter(colour=colour)
        self._live = live
        self._verbosity = verbosity
        self._diff = diff
        self._ended: dict[str, list[e.TaskEnded]] = defaultdict(list)
        self._under_way: dict[tuple[str, str], tuple[str, str]] = {}
        self._said: dict[tuple[str, str], float] = {}
        self._predicted: list[e.ChangePredicted] = []
        self._unreached: set[tuple[str, str]] = set()
        self._run = run

    def tell(self, event: e.Event) -> None:
        """Show it, if it is for people."""
        if not isinstance(event, (e.ChangePredicted, *e.PROGRESS)):
            self._show_predicted()
        _SHOWN.dispatch(type(event))(self, event)

    @singledispatchmethod
    def _show(self, event: e.Event) -> None:
        """As `tell`."""

    # ── the run ──

    @_show.register
    def _(self, event: e.RunStarted) -> None:
        mode = " · check mode: nothing will be changed" if event.check else ""
        title = self._paint("bold", escape(event.playbook))
        self._line(f"{title} · run {event.run} · {count(len(event.hosts), 'host')}{mode}")
        if event.alert is not None:
            self._line(self._paint("dim", f"alert: {escape(described(event.alert))}"))
        self._line("")

    @_show.register
    def _(self, event: e.RunResumed) -> None:
        going_on = self._paint("bold", "Going on")
        self._line(f"{going_on} · run {self._run} · by {escape(event.user)}")
        for problem in event.changed:
            self._line(self._paint("yellow", f"  ! all the same: {escape(problem)}"))
        self._line("")

    @_show.register
    def _(self, event: e.GlassBroken) -> None:
        reason = f"no policy's approvals and cool-downs hold: {escape(event.reason)}"
        self._line(self._paint("red", f"Glass broken by {escape(event.by)}: {reason}"))
        self._line("")

    @_show.register
    def _(self, event: e.Interruption) -> None:
        self._line(self._paint("magenta", f"Interrupted by {event.signal}: nothing more is begun"))

    @_show.register
    def _(self, event: e.RunEnded) -> None:
        self._line("")
        width = max((len(host) for host in event.recap), default=0)
        for host, counts in event.recap.items():
            row = " ".join(self._counted(name, number) for name, number in counts.items())
            self._line(f"{escape(host):<{width}}  {row}")
        colour = "green" if event.exit_code == 0 else "red"
        outcome = self._paint(colour, event.outcome.upper())
        self._line(f"{outcome} in {duration(event.seconds)} · quell show {self._run}".rstrip())
        if event.message:
            self._line(escape(event.message))
        self._screen.close()

    def _counted(self, name: str, number: int) -> str:
        text = f"{name}={number}"
        grave = name in ("failed", "unreachable")
        return self._paint("red", text) if number and grave else text

    # ── phases ──

    @_show.register
    def _(self, event: e.PhaseStarted) -> None:
        if event.phase == "severity":
            return
        what = event.note or f"{count(event.tasks, 'task')} × {count(event.hosts, 'host')}"
        self._screen.begin(self._headed(event.phase, what))

    @_show.register
    def _(self, event: e.PhaseEnded) -> None:
        self._flush(list(self._ended))
        self._under_way.clear()
        self._screen.end(duration(event.seconds))

    @_show.register
    def _(self, event: e.SeverityJudged) -> None:
        level = self._paint("bold", event.level or "none: no rule holds")
        if event.before:
            level = f"{event.before} → {level} after the mitigation"
        parts = [f"{level}  {escape(event.because)}".rstrip()]
        if event.level and event.of > 1:
            parts.append(f"on {len(event.hosts)} of {event.of} hosts")
        if event.acknowledge_by:
            by = event.acknowledge_by
            left = (by - e.now()).total_seconds()
            word = f"{duration(left)} left" if left > 0 else f"missed by {duration(-left)}"
            parts.append(f"acknowledge by {by.astimezone():%H:%M} ({word})")
        self._line(self._headed("severity", " · ".join(parts)))
        for why in event.unjudged:
            self._line(self._paint("yellow", f"  ! not judged: {escape(why)}"))

    @_show.register
    def _(self, event: e.DeadlineMissed) -> None:
        late = duration((event.at - event.acknowledge_by).total_seconds())
        text = f"  ! {event.level}: nobody has taken the incident, {late} after its time"
        self._line(self._paint("red", text))

    @_show.register
    def _(self, event: e.Acknowledged) -> None:
        self._line(self._paint("dim", f"  taken: {escape(event.how)}"))

    def _headed(self, phase: str, text: str) -> str:
        return f"{self._paint('bold', f'{phase.upper():<{LABEL}}')} {text}"

    # ── tasks ──

    @_show.register
    def _(self, event: e.TaskStarted) -> None:
        self._under_way[event.task, event.host] = (event.name, "")
        self._show_progress()

    @_show.register
    def _(self, event: e.Waiting) -> None:
        words = f"{duration(event.elapsed)} of {duration(event.total)}"
        self._wait(event.task, event.name, "", words)

    @_show.register
    def _(self, event: e.Looked) -> None:
        word = "holds" if event.holds else "not yet"
        far = f"{duration(event.elapsed)} of {duration(event.total)}"
        if event.mode == "until":
            far = f"look {event.look} of {event.total:.0f} at most"
        words = f"{word} · {far} · {event.summary}"
        # One that holds ends now, unless it is to hold for a time.
        over = event.holds and event.mode != "hold"
        self._wait(event.task, event.name, event.host, words, over=over)

    def _wait(self, task: str, name: str, host: str, words: str, *, over: bool = False) -> None:
        """Say how a long wait goes on; `host` is empty where the run itself waits."""
        cell = (task, host)
        self._under_way[cell] = (name, words)
        self._show_progress()
        last = self._said.get(cell)
        if not (self._live or over) and (last is None or time.monotonic() - last >= SAY_AGAIN):
            self._said[cell] = time.monotonic()
            self._line(_waiting(name, [host], words))

    @_show.register
    def _(self, event: e.TaskEnded) -> None:
        self._ended[event.task].append(event)
        self._under_way.pop((event.task, "" if event.hostless else event.host), None)
        self._show_progress()

    @_show.register
    def _(self, event: e.WaveEnded) -> None:
        self._flush(event.tasks)

    def _show_progress(self) -> None:
        if not self._live:
            return
        alike: dict[tuple[str, str], list[str]] = defaultdict(list)
        for (_, host), text in self._under_way.items():
            alike[text].append(host)
        lines = [_waiting(name, hosts, words) for (name, words), hosts in alike.items()]
        self._screen.progress([self._paint("dim", line) for line in lines[:MOST]])

    def _flush(self, tasks: Sequence[str]) -> None:
        for task in tasks:
            if ended := self._ended.pop(task, None):
                self._show_task(ended)

    def _show_task(self, ended: list[e.TaskEnded]) -> None:
        """One line for each different end of a task, with the hosts that share it."""
        alike: dict[tuple[str, str, str], list[e.TaskEnded]] = defaultdict(list)
        for event in ended:
            if event.status != "skipped" or self._verbosity or _stays_open(event):
                alike[event.status, event.name, _words(event)].append(event)
        order = list(SYMBOLS)
        before = ""
        for (status, called, words), same in sorted(
            alike.items(), key=lambda a: order.index(a[0][0])
        ):
            # A template may call it something else on each host and for each item.
            name, before = escape(called) if called != before else "", called
            symbol, colour = SYMBOLS[status]
            where = names(sorted({_where(e.host, e.delegate) for e in same}, key=natural))
            where = "" if same[0].hostless else f"{where}  "
            said = self._once(words, same) if status == "unreachable" else words
            forgiven = same[0].ignored and same[0].phase not in e.EVIDENCE_PHASES
            ignored = self._paint("dim", "  (ignored)") if forgiven else ""
            head = f"  {self._paint(colour, symbol)} {name:<{NAME}}"
            self._line(f"{head} {where}{said}{ignored}".rstrip())
            if self._verbosity:
                for event in same:
                    self._lines(details(event, self._verbosity))

    def _once(self, words: str, same: Sequence[e.TaskEnded]) -> str:
        """Why hosts cannot be reached is told of each of them once."""
        cells = {(event.host, words) for event in same}
        known = cells <= self._unreached
        self._unreached |= cells
        return "not reached, as before" if known else words

    @_show.register
    def _(self, event: e.BatchStarted) -> None:
        text = f"  batch {event.number} of {event.of}: {names(event.hosts)}"
        self._line(self._paint("dim", text))

    @_show.register
    def _(self, event: e.BlockRescued) -> None:
        symbol = self._paint("green", "✓")
        self._line(f"  {symbol} {escape(event.name):<{NAME}} {names(event.hosts)}  rescued")

    @_show.register
    def _(self, event: e.RollbackStarted) -> None:
        what = ", ".join(map(escape, event.tasks))
        self._line(self._paint("yellow", f"  ↩ {event.host}: taking back {what}"))
        self._line(self._paint("dim", f"      {escape(event.why)}"))

    @_show.register
    def _(self, event: e.RunHalted) -> None:
        self._line(self._paint("red", f"  ✗ no further host is begun: {escape(event.reason)}"))

    # ── changes ──

    @_show.register
    def _(self, event: e.ChangePredicted) -> None:
        self._predicted.append(event)

    def _show_predicted(self) -> None:
        """One line for each different change, with every host that it is for."""
        alike: dict[tuple[str, ...], list[e.ChangePredicted]] = defaultdict(list)
        for event in self._predicted:
            change = event.change
            key = (event.task, event.name, event.item or "", str(change["summary"]))
            shown = (str(change["before"]), str(change["after"])) if self._diff else ()
            alike[*key, *shown].append(event)
        self._predicted.clear()
        symbol = self._paint("yellow", "~")
        for same in alike.values():
            first = same[0]
            item = f" [{escape(first.item)}]" if first.item else ""
            where = ", ".join(_where(event.host, event.delegate) for event in same) + item
            summary = escape(str(first.change["summary"]))
            self._line(f"  {symbol} {escape(first.name):<{NAME}} {where}  would: {summary}")
            if self._diff:
                self._lines(diff_lines(first.change["before"], first.change["after"], self._paint))

    @_show.register
    def _(self, event: e.NotPredicted) -> None:
        symbol = self._paint("yellow", "~")
        why = f"cannot be predicted: {escape(event.why)}"
        self._line(f"  {symbol} {escape(event.name):<{NAME}} {names(event.hosts)}  {why}")

    @_show.register
    def _(self, event: e.GuardHeld) -> None:
        where = f" on {event.host}" if event.host else ""
        text = f"  ✗ refused{where} by the guard “{event.guard}”: {escape(event.message)}"
        self._line(self._paint("red", text))

    @_show.register
    def _(self, event: e.ApprovalAnswered) -> None:
        number = count(len(event.approved), "change")
        if event.approved:
            self._line(self._paint("dim", f"  approved: {number}, by {event.by} ({event.how})"))
        if event.refused:
            self._line(self._paint("dim", f"  not approved: {count(len(event.refused), 'change')}"))

    def _line(self, text: str) -> None:
        self._screen.line(text)

    def _lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._line(line)


_SHOWN = Console.__dict__["_show"].dispatcher
"""Called by its own name, a singledispatchmethod makes itself anew each time."""


def _stays_open(event: e.TaskEnded) -> bool:
    """Whether the run came to it, and nobody ticked it: that is said without `-v`, too."""
    return event.hostless and event.result.get("done") is False


def _where(host: str, delegate: str) -> str:
    """A host, and the one that does it in its stead, as in Ansible."""
    return f"{host} → {delegate}" if delegate else host


def _waiting(name: str, hosts: list[str], words: str) -> str:
    where = names([host for host in hosts if host])
    return f"  … {escape(name):<{NAME}} {where}{'  ' if where else ''}{escape(words)}".rstrip()


def _words(event: e.TaskEnded) -> str:
    """What is said of an end: what was seen, and what is wrong with it."""
    item = f"[{event.item}] " if event.item else ""
    known = [event.summary, event.message]
    if event.status == "ok" or event.message in event.summary:
        known = [event.summary or event.message]
    return escape(item + " · ".join(part for part in known if part))
