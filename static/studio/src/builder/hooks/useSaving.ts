/** Makes the saver live with the page: other tabs' edits, the network coming back, closed tabs' leftovers. */
import { useEffect } from "react";
import { startSync } from "../../graph/sync";
import { useBell } from "../../lib/live";
import { useBuilder, useBuilderState } from "../store/context";
import { adoptPending } from "../store/queue";
import { withSync } from "../store/state";

const LOOK_FOR_LEFTOVERS_MS = 5000;
const LOOK_FOR_EDITS_MS = 10_000;

export function useSaving(): void {
  const { store, saver } = useBuilder();
  const projectId = useBuilderState((state) => state.projectId);

  useBell(projectId, (change) => {
    const isOurs = change.what === "pipelines" && change.id === store.getState().pipelineId;
    if (isOurs || change.what === "everything") void saver.catchUp();
  });

  useEffect(() => {
    const flush = () => void saver.flush();
    const onVisibility = () => {
      if (document.visibilityState === "hidden") flush();
      else void saver.catchUp();
    };
    // A bell may be lost; then the other tab's edits arrive a little later.
    const look = setInterval(() => {
      if (document.visibilityState === "visible") void saver.catchUp();
    }, LOOK_FOR_EDITS_MS);
    const leftovers = setInterval(() => {
      const found = adoptPending(localStorage, store.getState().pipelineId, null);
      if (found.length === 0) return;
      const state = store.getState();
      const { base, version, pending } = state.sync;
      store.setState(withSync(state, startSync(base, version, [...found, ...pending], state.catalog)));
    }, LOOK_FOR_LEFTOVERS_MS);
    window.addEventListener("online", flush);
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      clearInterval(leftovers);
      clearInterval(look);
      window.removeEventListener("online", flush);
      document.removeEventListener("visibilitychange", onVisibility);
    };
  }, [store, saver]);
}
