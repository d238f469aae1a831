/** A Plotly figure as a small picture on a card: drawn once into an image, so the canvas stays light. */
import { useEffect, useState } from "react";
import { loadPlotly } from "../../charts/loadPlotly";
import { inWords } from "../../charts/PlotlyFigure";
import { t } from "../../i18n";
import type { PlotlyFigureJson } from "../../lib/types";

const WIDTH = 400;
const HEIGHT = 300;

export default function FigurePreview({ figure }: { figure: PlotlyFigureJson }) {
  const [src, setSrc] = useState<string | null>(null);

  useEffect(() => {
    let current = true;
    drawPicture(figure).then(
      (picture) => {
        if (current) setSrc(picture);
      },
      () => {},
    );
    return () => {
      current = false;
    };
  }, [figure]);

  return src ? <img src={src} alt={t("Figure")} /> : null;
}

async function drawPicture(figure: PlotlyFigureJson): Promise<string> {
  const plotly = await loadPlotly();
  const ink = getComputedStyle(document.documentElement).getPropertyValue("color") || "#667485";
  const layout = {
    ...inWords(figure.layout ?? {}),
    width: WIDTH,
    height: HEIGHT,
    margin: { l: 44, r: 12, t: 12, b: 40 },
    title: undefined,
    showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { size: 13, color: ink },
  };
  const drawing = { data: figure.data, layout } as unknown as Parameters<typeof plotly.toImage>[0];
  return plotly.toImage(drawing, { format: "png", width: WIDTH, height: HEIGHT });
}
