/**
 * Drawing wires: light up what fits, connect, say why not, or open the search where a wire was dropped.
 */
import {
  type Connection,
  type Edge,
  type FinalConnectionState,
  type IsValidConnection,
  type OnConnectStartParams,
  useReactFlow,
} from "@xyflow/react";
import { useCallback, useMemo } from "react";
import { compatiblePorts, connectionProblem, fittingPort, type PortRef, specOf } from "../../graph/connections";
import type { Operation } from "../../graph/types";
import { openSearch } from "../store/commands";
import { useBuilder } from "../store/context";
import { edit } from "../store/edits";
import { type BuilderStore, documentOf, notify } from "../store/state";
import type { FlowEdge, FlowNode } from "./useFlowNodes";

const ends = (connection: Connection | Edge): { from: string; to: string } => ({
  from: `${connection.source}.${connection.sourceHandle}`,
  to: `${connection.target}.${connection.targetHandle}`,
});

export function useConnections() {
  const { store } = useBuilder();
  const { screenToFlowPosition } = useReactFlow<FlowNode, FlowEdge>();

  const onConnectStart = useCallback(
    (_event: unknown, { nodeId, handleId, handleType }: OnConnectStartParams) => {
      const state = store.getState();
      if (!nodeId || !handleId || !state.canEdit) return;
      const port: PortRef = {
        address: `${nodeId}.${handleId}`,
        direction: handleType === "source" ? "output" : "input",
      };
      store.setState({ connecting: { port, fits: compatiblePorts(documentOf(state), state.catalog, port) } });
    },
    [store],
  );

  const onConnect = useCallback(
    (connection: Connection) => {
      edit(store, [{ op: "connect", ...ends(connection) }]);
    },
    [store],
  );

  const onConnectEnd = useCallback(
    (event: MouseEvent | TouchEvent, state: FinalConnectionState) => {
      const port = store.getState().connecting?.port;
      store.setState({ connecting: null });
      if (!port || state.isValid) return;
      if (state.toHandle) explain(store, port, `${state.toHandle.nodeId}.${state.toHandle.id}`);
      else {
        const point = "changedTouches" in event ? event.changedTouches[0] : event;
        if (!point) return;
        const block = blockUnder(point.clientX, point.clientY);
        if (block) connectToBlock(store, port, block);
        else
          openSearch(store, {
            at: toPoint(screenToFlowPosition({ x: point.clientX, y: point.clientY })),
            screen: [point.clientX, point.clientY],
            port,
          });
      }
    },
    [store, screenToFlowPosition],
  );

  const isValidConnection: IsValidConnection<FlowEdge> = useCallback(
    (connection) => {
      const { catalog } = store.getState();
      const { from, to } = ends(connection);
      return connectionProblem(documentOf(store.getState()), catalog, from, to) === null;
    },
    [store],
  );

  const onReconnect = useCallback(
    (edge: FlowEdge, connection: Connection) => {
      const before = ends(edge);
      const after = ends(connection);
      if (before.from === after.from && before.to === after.to) return;
      edit(store, [
        { op: "disconnect", ...before },
        { op: "connect", ...after },
      ] satisfies Operation[]);
    },
    [store],
  );

  return useMemo(
    () => ({ onConnectStart, onConnect, onConnectEnd, isValidConnection, onReconnect }),
    [onConnectStart, onConnect, onConnectEnd, isValidConnection, onReconnect],
  );
}

const toPoint = ({ x, y }: { x: number; y: number }) => [x, y] as const;

function blockUnder(x: number, y: number): string | null {
  const card = document.elementFromPoint(x, y)?.closest<HTMLElement>(".react-flow__node-block");
  return card?.dataset.id ?? null;
}

/** A wire dropped on a card, beside its ports: use the port that fits. */
export function connectToBlock(store: BuilderStore, port: PortRef, block: string): void {
  const state = store.getState();
  const spec = specOf(documentOf(state), state.catalog, block);
  const name = spec && fittingPort(documentOf(state), state.catalog, spec, port);
  const fallback = port.direction === "output" ? spec?.inputs[0]?.name : spec?.outputs[0]?.name;
  const other = `${block}.${name ?? fallback ?? ""}`;
  const operation: Operation =
    port.direction === "output"
      ? { op: "connect", from: port.address, to: other }
      : { op: "connect", from: other, to: port.address };
  edit(store, [operation]);
}

function explain(store: BuilderStore, port: PortRef, other: string): void {
  const state = store.getState();
  const [from, to] = port.direction === "output" ? [port.address, other] : [other, port.address];
  const problem = connectionProblem(documentOf(state), state.catalog, from, to);
  if (problem) notify(store, problem, "error");
}
