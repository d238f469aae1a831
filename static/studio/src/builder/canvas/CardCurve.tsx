/** The live curve on a training block: what the server had when the page opened, then the points that stream in. */
import { memo, useMemo } from "react";
import { sparkPath } from "../../charts/Sparkline";
import { t } from "../../i18n";
import { formatMetric } from "../../lib/format";
import { joinPoints, type Tail } from "../../lib/tail";
import { useBuilderState } from "../store/context";
import type { RunView } from "../store/state";

const WIDTH = 200;
const HEIGHT = 36;

/** Metrics that may be drawn on the card, best first. */
const DRAWN = ["loss", "train_loss", "validation_loss"];
const BESIDE = ["validation_accuracy", "train_accuracy"];

/** The metric that a block's card draws; null without one. */
export function curveName(run: RunView | null, id: string): string | null {
  return run ? (DRAWN.find((one) => run.tails[`${id}.${one}`] || run.curves[`${id}.${one}`]) ?? null) : null;
}

export const CardCurve = memo(function CardCurve({ id }: { id: string }) {
  const name = useBuilderState((state) => curveName(state.run, id));
  return name ? <Curve id={id} name={name} /> : null;
});

function Curve({ id, name }: { id: string; name: string }) {
  const address = `${id}.${name}`;
  const tail = useBuilderState((state) => state.run?.tails[address]);
  const history = useBuilderState((state) => state.run?.curves[address]);
  const last = useBuilderState((state) => state.run?.metrics[address]);
  const beside = useBuilderState((state) => BESIDE.find((one) => state.run?.metrics[`${id}.${one}`] !== undefined));
  const other = useBuilderState((state) => state.run?.metrics[`${id}.${beside}`]);
  const projectId = useBuilderState((state) => state.projectId);
  const runId = useBuilderState((state) => state.run?.id);
  const curve = useMemo(() => sparkPath(joined(history, tail), WIDTH, HEIGHT), [history, tail]);
  if (!curve.includes("L")) return null;
  return (
    <a className="block-spark nodrag" href={`/p/${projectId}/runs/${runId}`} title={t("Open the charts of this run")}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <path className="block-spark-area" d={`${curve}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />
        <path className="block-spark-line" d={curve} />
      </svg>
      <span>
        <span>
          {t(name)} <b>{formatMetric(last)}</b>
        </span>
        {beside && other !== undefined && (
          <span>
            {t(beside.replaceAll("_", " "))} <b>{formatMetric(other)}</b>
          </span>
        )}
      </span>
    </a>
  );
}

function joined(history: ArrayLike<number> | undefined, tail: Tail | undefined): Float64Array {
  const live = tail ? joinPoints(tail.chunks).values : new Float64Array();
  const values = new Float64Array((history?.length ?? 0) + live.length);
  values.set(history ?? []);
  values.set(live, history?.length ?? 0);
  return values;
}
