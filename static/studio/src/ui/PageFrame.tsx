/** What surrounds every page component: toasts and a boundary that shows a crash instead of a blank page. */
import { Component, createContext, type ReactNode, useContext } from "react";
import type { PageProps } from "../lib/types";
import { ErrorState } from "./states";
import { ToastProvider } from "./Toast";

const PropsContext = createContext<PageProps | null>(null);

/** The props that the server gave the page: user, workspace, project, role. */
export function usePageProps(): PageProps {
  const props = useContext(PropsContext);
  if (!props) {
    throw new Error("usePageProps is used outside of a page");
  }
  return props;
}

class CrashBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    return this.state.error ? (
      <ErrorState error={this.state.error} retry={() => window.location.reload()} />
    ) : (
      this.props.children
    );
  }
}

export function PageFrame({ props, children }: { props: PageProps; children: ReactNode }) {
  return (
    <PropsContext value={props}>
      <ToastProvider>
        <CrashBoundary>{children}</CrashBoundary>
      </ToastProvider>
    </PropsContext>
  );
}
