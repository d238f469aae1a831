import type { ReactNode } from "react";
import type { PageProps } from "../lib/types";
export function PageFrame({ children }: { props: PageProps; children: ReactNode }) {
  return <>{children}</>;
}
