"""The open runs of one engine, and the attribution of tool calls to them."""

from __future__ import annotations

import threading

from .._core.model.reason import Reason
from .._core.run.run import Run
from .._core.tools.tool import Tool
from .context import Frame, get_frame, release_lease


class OpenRuns:
    """The frames of the runs that are recording.

    With `adopt`, a call from an unknown thread joins the run that is open, if exactly one is.

    Attributes:
        frames: The frames whose tool calls are recorded.
        delegated: The thread and the tool of each outstanding call of a session.
    """

    __slots__ = ("_adopt_threads", "_runtime", "delegated", "frames")

    def __init__(self, runtime: object, adopt: bool) -> None:
        self._runtime = runtime
        self._adopt_threads = adopt
        self.frames: set[Frame] = set()
        self.delegated: dict[Frame, tuple[int, Tool]] = {}

    def enter(self, run: Run | None) -> Frame:
        """Return a frame for a run.

        A run inside the agent of another run prevents that one from being learned (G6).
        """
        outer = get_frame()
        if outer is None:
            return Frame(self._runtime, run)
        if outer.is_recording and outer.run is not None:
            outer.run.recorder.add_problem(
                Reason.NESTED_RUN, "the agent called an engine during its run, and nested runs are not learned"
            )
        return Frame(self._runtime, run, outer.run is not None)

    def start_recording(self, frame: Frame) -> None:
        """Start to record the tool calls of a frame's run."""
        if frame.run is not None and not frame.is_stepped:
            frame.run.note_arguments()
        frame.is_recording = True
        self.frames.add(frame)

    def leave(self, frame: Frame) -> None:
        """Close the run of a frame; later calls do not belong to it."""
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
        """Return the ids of the trajectories that runs with an active agent replayed."""
        runs = [frame.run for frame in list(self.frames) if frame.run is not None]
        return {run.progress.candidate.trajectory.id for run in runs if run.progress.candidate is not None}

    def mark_delegated(self, frame: Frame, tool: Tool) -> None:
        """Note that the caller of a session is making a call; calls inside it are plain."""
        frame.is_recording = False
        self.delegated[frame] = (threading.get_ident(), tool)

    def mark_returned(self, frame: Frame) -> None:
        """Note that a call of a session has ended; its run records again if it did before."""
        self.delegated.pop(frame, None)
        frame.is_recording = frame in self.frames

    def handle_unattributed(self, tool: Tool) -> Frame | None:
        """Return the frame that a call without a run joins, or None.

        Such a call comes from a thread that contextvars did not reach (C9), or is the call that a session handed out in
        this thread. A call from an unknown thread that joins no run prevents the open runs from being learned.
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
                f"{tool.name!r} was called from a thread that belongs to no run. Wrap the thread's function: "
                "threading.Thread(target=engine.bind(fn))",
                tool.name,
            )
        return None

    def note_unreported(self, run: Run, tool: Tool) -> None:
        """Note a tool call during a session's agent that the session did not receive."""
        run.recorder.add_problem(
            Reason.INCOMPLETE_THREADS,
            f"{tool.name!r} was called during the agent of a session, which did not receive the call. Pass the "
            "model's calls to session.said() and make those that session.next() returns, in the session's thread or "
            "`with` block.",
            tool.name,
        )
