/** A wire in the colour of what it carries. */
import { BaseEdge, type EdgeProps, getBezierPath } from "@xyflow/react";
import { memo } from "react";
import { kindColour } from "./kinds";
import type { FlowEdge } from "./useFlowNodes";

export const WireEdge = memo(function WireEdge(props: EdgeProps<FlowEdge>) {
  const { id, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, data, selected } = props;
  const [path] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  return (
    <BaseEdge
      id={id}
      path={path}
      interactionWidth={16}
      style={{ stroke: kindColour(data?.kind ?? "other"), strokeWidth: selected ? 3.5 : 2 }}
    />
  );
});
