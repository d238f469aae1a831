import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api } from "../lib/api";
import { searchOfFront } from "./candidates";
import { SearchView } from "./SearchView";

vi.mock("../charts/PlotlyFigure", () => ({ PlotlyFigure: () => null }));

const point = (name: string, more: object) => ({
  name,
  size_bytes: 4e6,
  latency_ms: 4,
  accuracy: 0.95,
  status: "kept",
  front: ["int8", "tiny"],
  ...more,
});
const finished = [
  point("original", { baseline: true }),
  point("int8", { latency_ms: 1, size_bytes: 1e6, accuracy: 0.948, digest: "sha256:int8" }),
  point("slow", { latency_ms: 9, status: "refused", reason: "slower" }),
  point("tiny", { latency_ms: 0.5, accuracy: 0.9, status: "refused", reason: "accuracy", digest: "sha256:tiny" }),
];
const place = { chosen: "sha256:int8", projectId: "p", runId: "r", block: "search", mayEdit: true };
const detail = () => screen.getByRole("region", { name: "Selected candidate" });
const use = () => within(detail()).queryByRole("button", { name: "Use this one" });
const choose = (name: string) => fireEvent.click(screen.getByRole("radio", { name }));

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function () {
    this.open = false;
  };
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a finished search", () => {
  it("shows the model that the search took first, beside the baseline", () => {
    render(<SearchView search={searchOfFront(finished)} running={false} {...place} />);
    expect(within(detail()).getByRole("heading").textContent).toBe("int8");
    const rows = within(detail())
      .getAllByRole("row")
      .map((row) => row.textContent);
    expect(rows).toContain("Latency4 ms1 ms4× faster");
    expect(rows).toContain("Size on disk4 MB1 MB−75%");
    expect(rows).toContain("Accuracy95%94.8%−0.2 points");
    expect(screen.getByText(/candidates measured/).textContent).toBe(
      "4 candidates measured · 2 on the front · 2 refused",
    );
  });

  it("says why a candidate was refused, and offers only models that were kept", () => {
    render(<SearchView search={searchOfFront(finished)} running={false} {...place} />);
    choose("slow");
    expect(within(detail()).getByText("Slower on this machine")).toBeTruthy();
    expect(use()).toBeNull();
    choose("tiny");
    expect(within(detail()).getByText("Loses more accuracy than allowed")).toBeTruthy();
    expect(use()).not.toBeNull();
  });

  it("registers the chosen point by its digest, with the run that found it", async () => {
    const post = vi.spyOn(api, "post").mockResolvedValue({ id: "m", name: "Small" });
    render(<SearchView search={searchOfFront(finished)} running={false} {...place} />);
    choose("tiny");
    fireEvent.click(use()!);
    fireEvent.change(screen.getByLabelText("Name"), { target: { value: " Small " } });
    fireEvent.submit(screen.getByLabelText("Name").closest("form")!);
    await waitFor(() => expect(screen.getByRole("link").textContent).toBe(" Registered as Small"));
    expect(post).toHaveBeenCalledWith("/projects/p/models", {
      name: "Small",
      run: "r",
      block: "search",
      digest: "sha256:tiny",
    });
  });

  it("offers a viewer nothing to register", () => {
    render(<SearchView search={searchOfFront(finished)} running={false} {...place} mayEdit={false} />);
    expect(use()).toBeNull();
  });
});

describe("a search that goes on", () => {
  it("shows the fastest of the front, whose model is kept at the end", () => {
    const live = finished.map((one) => ({ ...one, digest: null }));
    render(<SearchView search={searchOfFront(live)} running {...place} chosen={null} />);
    expect(within(detail()).getByRole("heading").textContent).toBe("int8");
    expect((use() as HTMLButtonElement).disabled).toBe(true);
    expect(screen.getByText("The models are kept when the search ends.")).toBeTruthy();
  });

  it("says that nothing was measured yet", () => {
    render(<SearchView search={searchOfFront([])} running {...place} />);
    expect(screen.getByText("The first candidate is being measured")).toBeTruthy();
  });
});
