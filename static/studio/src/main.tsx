/**
 * The one entry of the front end: finds the island in the server's page and mounts its page component.
 *
 * The Django shell writes `<div id="island" data-page="run" data-props='{...}'>`; each page is a lazy
 * chunk named by `data-page`.
 */
import { type ComponentType, lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { loadTexts } from "./i18n";
import { setCsrf } from "./lib/api";
import type { PageProps } from "./lib/types";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/kit.css";
import { PageFrame } from "./ui/PageFrame";
import { LoadingState } from "./ui/states";

type PageModule = { default: ComponentType<PageProps> };

const pages = import.meta.glob<PageModule>("./pages/*.tsx");

function pageLoader(name: string): (() => Promise<PageModule>) | undefined {
  if (name === "builder") {
    return () => import("./builder/Builder") as Promise<PageModule>;
  }
  return pages[`./pages/${name}.tsx`];
}

async function mount(island: HTMLElement): Promise<void> {
  const load = pageLoader(island.dataset.page ?? "");
  if (!load) {
    return;
  }
  const props = JSON.parse(island.dataset.props ?? "{}") as PageProps;
  setCsrf(props.csrf);
  await loadTexts();
  const Page = lazy(load);
  createRoot(island).render(
    <StrictMode>
      <PageFrame props={props}>
        <Suspense fallback={<LoadingState />}>
          <Page {...props} />
        </Suspense>
      </PageFrame>
    </StrictMode>,
  );
}

const island = document.getElementById("island");
if (island) {
  void mount(island);
}
