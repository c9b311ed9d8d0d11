"""The open runs of one engine, and the attribution of tool calls to them."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from .._core.model.reason import Reason
from .._core.model.secret import Secret, observe_reads
from .._core.record.same_call import Arguments, are_equal_calls
from .._core.run.run import Run
from .._core.tools.closures import leads_to
from .._core.tools.tool import Tool
from .._forks import register_for_forks
from .._library.evidence import late_call_note
from .context import Frame, get_frame, release_lease
from .election import is_task_running
from .unseen_calls import RunWatch

_all_open_runs: weakref.WeakSet[OpenRuns] = weakref.WeakSet()
_threads = threading.local()


def _this_thread() -> object:
    """Return an object that identifies this thread.

    Unlike the thread's number, it is never used again.
    """
    found = getattr(_threads, "identity", None)
    if found is None:
        found = _threads.identity = object()
    return found


def _unattributed_message(tool: Tool) -> str:
    if is_task_running():
        return (
            f"{tool.name!r} was called from an asyncio task that does not belong to the run, since it was started "
            "before the run. Start the task in the agent."
        )
    return (
        f"{tool.name!r} was called from a thread that belongs to no run. Wrap the thread's function: "
        "threading.Thread(target=engine.bind(fn))"
    )


def _are_equal_calls(tool: Tool, one: Arguments, two: Arguments) -> bool:
    """Return whether two calls have the same arguments.

    They do not if this cannot be determined.
    """
    try:
        return are_equal_calls(tool, one, two)
    except Exception:  # Methods of an argument may raise, which must not end the call.
        return False


class OpenRuns:
    """The frames of the runs that are recording.

    With `adopt`, a call from an unknown thread joins the run that is open, if exactly one is.

    Attributes:
        frames: The frames whose tool calls are recorded.
        delegated: The outstanding calls of each session, with the thread that got the call, its tool and its arguments.
    """

    __slots__ = ("__weakref__", "_adopt_threads", "_runtime", "delegated", "frames")

    def __init__(self, runtime: Any, adopt: bool) -> None:
        self._runtime = runtime
        self._adopt_threads = adopt
        self.frames: set[Frame] = set()
        self.delegated: dict[Frame, dict[object, tuple[object, Tool, Arguments]]] = {}
        register_for_forks(self)
        _all_open_runs.add(self)

    def enter(self, run: Run | None, *, as_step: bool = False) -> Frame:
        """Return a frame for a run.

        A run inside the agent of another run is a step of that one if the engine has a name and the caller can record
        it, `as_step`. Otherwise it prevents that one from being learned (G6).
        """
        outer = get_frame()
        if outer is None or outer.is_left:
            return Frame(self._runtime, run)
        if outer.is_inherited:
            outer.watch.mark_call_in_child()
        if outer.inner_tool is not None and run is not None:
            outer.inner_tool.runs.append(run)
        if outer.is_recording and outer.run is not None and not outer.run.recorder.closed:
            if as_step and self._runtime.name and not outer.is_stepped:
                return Frame(self._runtime, run, step_of=outer)
            outer.run.recorder.add_problem(
                Reason.NESTED_RUN,
                "the agent called an engine during its run. Give that engine a name, as in Engine(name='search'), and "
                "call it as engine(...) or engine.acall(...). Then the call is a step of this run.",
            )
        return Frame(self._runtime, run, outer.run is not None)

    def start_recording(self, frame: Frame) -> None:
        """Start to record the tool calls of a frame's run."""
        if frame.run is not None and not frame.was_recording:
            if not frame.is_stepped:
                frame.run.note_arguments()
            frame.watch = RunWatch(frame.run.number)
            frame.run.find_unseen = frame.watch.problem
        frame.is_recording = frame.was_recording = True
        self.frames.add(frame)

    def leave(self, frame: Frame) -> None:
        """Close the run of a frame; later calls do not belong to it."""
        if frame.was_recording:
            frame.is_recording = False
            frame.has_ended = True
            frame.watch.close()
            self.frames.discard(frame)
        if frame.lease is not None:
            release_lease(frame)
        if frame.is_stepped:
            self.delegated.pop(frame, None)
        if frame.run is not None and frame.run.recorder_slot:
            frame.run.close()

    def followed_ids(self) -> set[str]:
        """Return the ids of the trajectories that runs with an active agent replayed."""
        runs = [frame.run for frame in list(self.frames) if frame.run is not None]
        return {run.progress.candidate.trajectory.id for run in runs if run.progress.candidate is not None}

    def mark_delegated(self, frame: Frame, call: object, tool: Tool, arguments: Arguments) -> None:
        """Note that the caller of a session is making a call; calls inside it are plain."""
        frame.is_recording = False
        self.delegated.setdefault(frame, {})[call] = _this_thread(), tool, arguments

    def mark_returned(self, frame: Frame, call: object) -> None:
        """Note that a call of a session has ended.

        After the last of them, its run records again if it did before.
        """
        calls = self.delegated.get(frame, {})
        calls.pop(call, None)
        if not calls:
            self.delegated.pop(frame, None)
            frame.is_recording = frame in self.frames

    def handle_unattributed(self, tool: Tool, arguments: Arguments) -> Frame | None:
        """Return the frame that a call without a run joins, or None.

        Such a call comes from a thread that contextvars did not reach (C9), or is a call that a session handed out: in
        this thread, or with these arguments. A call from an unknown thread that joins no run prevents the open runs
        from being learned.
        """
        for frame in list(self.frames):
            if frame.is_inherited:
                frame.watch.mark_call_in_child()
        this_thread = _this_thread()
        delegated = [(frame, call) for frame, calls in list(self.delegated.items()) for call in list(calls.values())]
        for _, (thread, handed_out, given) in delegated:
            if handed_out is tool and (thread is this_thread or _are_equal_calls(tool, given, arguments)):
                return None
        inside = {frame for frame, (thread, _, _) in delegated if thread is this_thread}
        frames = [frame for frame in self._recording_frames() if frame not in inside and not frame.is_inherited]
        if self._adopt_threads and len(frames) == 1 and not frames[0].is_stepped:
            run = frames[0].run
            if run is not None and not run.recorder.open_calls:
                return frames[0]
        self._note_incomplete(frames, tool)
        return None

    def _recording_frames(self) -> list[Frame]:
        return [frame for frame in list(self.frames) if frame.run is not None and not frame.run.recorder.closed]

    def _note_incomplete(self, frames: list[Frame], tool: Tool) -> None:
        for frame in frames:
            if frame.run is None:
                continue
            if frame.is_stepped:
                self.note_unreported(frame.run, tool)
                continue
            frame.run.recorder.add_problem(Reason.INCOMPLETE_THREADS, _unattributed_message(tool), tool.name)

    def note_unrecorded(self, tool: Tool, frame: Frame) -> None:
        """Note a tool call in the context of a run that does not record it.

        The call makes the run incomplete, unless it is part of a step, a check or a callback.
        """
        run = frame.run
        if run is None or not frame.was_recording:
            return
        if frame.is_inherited:
            frame.watch.mark_call_in_child()
        elif run.recorder.closed:
            if frame.has_ended or not (frame.is_stepped or frame.watch.is_own_place()):
                self._note_late(tool, frame)
        elif frame.is_recording and self._is_foreign(tool, frame):
            run.recorder.add_problem(
                Reason.FOREIGN_TOOL,
                f"{tool.name!r} is a tool of another engine, which does not record this run. Register it with the "
                "engine of the run, too.",
                tool.name,
            )

    def _is_foreign(self, tool: Tool, frame: Frame) -> bool:
        """Return whether the engine of a run records no part of a tool's call.

        A part is the call itself, or a call that it consists of.
        """
        if frame.runtime is self._runtime:
            return False
        return not leads_to(tool.fn, [other.wrapper for other in frame.runtime.tools])

    def _note_late(self, tool: Tool, frame: Frame) -> None:
        """Note a call after the agent has returned: the recording lacks it."""
        self._note_incomplete(self._recording_frames(), tool)  # The call may also be one of theirs.
        frame.late_tool = tool.name
        if frame.learned_id:
            self._quarantine_late(frame)

    def note_learned(self, frame: Frame, id: str) -> None:
        """Note the trajectory that a run has recorded."""
        frame.learned_id = id
        if frame.late_tool:
            self._quarantine_late(frame)

    def _quarantine_late(self, frame: Frame) -> None:
        runtime, tool = frame.runtime, frame.late_tool
        message = (
            f"{tool!r} was called after the agent had returned, so its recording lacks the call and is quarantined. "
            "Wait for threads and tasks before the agent returns."
        )
        runtime.reporter.notice("warning", Reason.LATE_CALL.value, message, tool)
        try:
            runtime.library.store.note((late_call_note(frame.learned_id, message),))
        except Exception as error:  # A user-defined store may raise anything (G4).
            runtime.store_health.failed("note", error)

    def _before_fork(self) -> None:
        """Do nothing: a fork alone changes nothing."""

    def _after_fork_in_parent(self) -> None:
        """Do nothing: a fork alone changes nothing."""

    def _after_fork_in_child(self) -> None:
        """Stop recording the runs of the parent process."""
        for frame in list(self.frames):
            frame.is_recording, frame.is_inherited = False, True
            if frame.run is not None:
                frame.run.recorder.add_problem(
                    Reason.FORKED, "the run began in the process that this one was forked from"
                )

    def note_unreported(self, run: Run, tool: Tool) -> None:
        """Note a tool call during a session's agent that the session did not receive."""
        run.recorder.add_problem(
            Reason.INCOMPLETE_THREADS,
            f"{tool.name!r} was called during the agent of a session, which did not receive the call. Pass the "
            "model's calls to session.said() and make those that session.next() returns, in the session's thread or "
            "`with` block.",
            tool.name,
        )


def _note_secret_read(secret: Secret[Any]) -> None:
    """Note the read of a secret in the run that it belongs to.

    A read in an unknown thread is noted in all runs that are recording.
    """
    frame = get_frame()
    if frame is not None:
        if frame.run is not None and (frame.is_recording or frame.run.recorder_slot):
            frame.run.recorder.note_secret_read(secret, frame.is_recording)
        return
    for runs in _engines():
        for open_frame in list(runs.frames):
            if open_frame.run is not None:
                open_frame.run.recorder.note_secret_read(secret, True)


def _engines() -> list[OpenRuns]:
    while True:
        try:
            return list(_all_open_runs)
        except RuntimeError:  # Another thread made an engine meanwhile.
            continue


observe_reads(_note_secret_read)
