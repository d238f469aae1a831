/** Gives components the builder's store, its saver and its run controls. */
import { createContext, useContext } from "react";
import { useStore } from "zustand";
import type { Saver } from "./saver";
import type { BuilderState, BuilderStore } from "./state";

export interface BuilderContextValue {
  readonly store: BuilderStore;
  readonly saver: Saver;
}

export const BuilderContext = createContext<BuilderContextValue | null>(null);

export function useBuilder(): BuilderContextValue {
  const value = useContext(BuilderContext);
  if (!value) throw new Error("useBuilder outside of the builder");
  return value;
}

/** Read one narrow part of the state; the component redraws only when that part changes. */
export function useBuilderState<T>(select: (state: BuilderState) => T): T {
  return useStore(useBuilder().store, select);
}
