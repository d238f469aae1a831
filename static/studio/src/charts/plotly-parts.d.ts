/** plotly.js types only its full build; these are the parts the studio bundles. */
declare module "plotly.js/src/traces/parcoords/strict" {
  import type { PlotlyModule } from "plotly.js/lib/core";

  const trace: PlotlyModule;
  export default trace;
}
declare module "plotly.js/src/traces/scattergl/strict" {
  import type { PlotlyModule } from "plotly.js/lib/core";

  const trace: PlotlyModule;
  export default trace;
}
declare module "plotly.js/lib/locales/zh-cn" {
  import type { LocaleModule } from "plotly.js/lib/core";

  const locale: LocaleModule;
  export default locale;
}
