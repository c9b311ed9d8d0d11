"""The runs that are open on one engine, and which of them a tool call belongs to."""

from __future__ import annotations

import threading

from .._core.model.reason import Reason
from .._core.run.run import Run
from .._core.tools.tool import Tool
from .context import Frame, get_frame, release_lease


class OpenRuns:
    """The frames of the runs that record now. With `adopt`, a call from an unknown thread may join the only one.

    `delegated` holds the calls that sessions have handed out and that have not ended: thread and tool.
    """

    __slots__ = ("_adopt_threads", "_runtime", "delegated", "frames")

    def __init__(self, runtime: object, adopt: bool) -> None:
        self._runtime = runtime
        self._adopt_threads = adopt
        self.frames: set[Frame] = set()
        self.delegated: dict[Frame, tuple[int, Tool]] = {}

    def enter(self, run: Run | None) -> Frame:
        """A frame for a run; a run inside another's agent makes that one unlearnable for now (G6)."""
        outer = get_frame()
        if outer is None:
            return Frame(self._runtime, run)
        if outer.is_recording and outer.run is not None:
            outer.run.recorder.add_problem(
                Reason.NESTED_RUN, "the agent called an engine itself; runs with runs inside are not learned yet"
            )
        return Frame(self._runtime, run, outer.run is not None)

    def start_recording(self, frame: Frame) -> None:
        """From here on the tool calls of this frame's run are recorded."""
        frame.is_recording = True
        self.frames.add(frame)

    def leave(self, frame: Frame) -> None:
        """The run is over; calls that come later are not its own."""
        if frame.is_recording:
            frame.is_recording = False
        if self.frames:
            self.frames.discard(frame)
        if frame.lease is not None:
            release_lease(frame)
        if frame.is_stepped:
            self.delegated.pop(frame, None)
        if frame.run is not None and frame.run.recorder_slot:
            frame.run.close()

    def followed_ids(self) -> set[str]:
        """The trajectories that runs have followed whose agents are at work now."""
        runs = [frame.run for frame in list(self.frames) if frame.run is not None]
        return {run.progress.candidate.trajectory.id for run in runs if run.progress.candidate is not None}

    def mark_delegated(self, frame: Frame, tool: Tool) -> None:
        """A session's caller makes this call now: what happens meanwhile is inside it."""
        frame.is_recording = False
        self.delegated[frame] = (threading.get_ident(), tool)

    def mark_returned(self, frame: Frame) -> None:
        """The call has ended; its run records again, if it did."""
        self.delegated.pop(frame, None)
        frame.is_recording = frame in self.frames

    def handle_unattributed(self, tool: Tool) -> Frame | None:
        """A call with no run here while some record: from a thread that contextvars did not reach (C9).

        Unless it is the call that a session has handed out in this thread.
        """
        thread_id = threading.get_ident()
        delegated = list(self.delegated.items())
        if any(of == (thread_id, tool) for _, of in delegated):
            return None
        inside = {frame for frame, (thread, _) in delegated if thread == thread_id}
        frames = [frame for frame in list(self.frames) if frame.run is not None and not frame.run.recorder.closed]
        frames = [frame for frame in frames if frame not in inside]
        if self._adopt_threads and len(frames) == 1 and not frames[0].is_stepped:
            run = frames[0].run
            if run is not None and not run.recorder.open_calls:
                return frames[0]
        for frame in frames:
            if frame.run is None:
                continue
            if frame.is_stepped:
                self.note_unreported(frame.run, tool)
                continue
            frame.run.recorder.add_problem(
                Reason.INCOMPLETE_THREADS,
                f"{tool.name} was called from a thread that belongs to no run; wrap the thread's function: "
                "threading.Thread(target=engine.bind(fn))",
                tool.name,
            )
        return None

    def note_unreported(self, run: Run, tool: Tool) -> None:
        """A tool was called while a session's agent was at work, and the session knows nothing of it."""
        run.recorder.add_problem(
            Reason.INCOMPLETE_THREADS,
            f"{tool.name} was called while the agent of a session was at work, and the session did not get it; use "
            "session.said([...]), make the calls that session.next() hands out, and keep to the thread of the session "
            "or use it in a `with` block",
            tool.name,
        )
