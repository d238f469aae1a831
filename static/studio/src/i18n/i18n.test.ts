import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { setTexts, t, tError, tn } from "./index";

const SRC = join(__dirname, "..");
const ZH = join(__dirname, "zh-Hans");

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      return sources(path);
    }
    return /\.tsx?$/.test(name) && !/\.test\.tsx?$/.test(name) ? [path] : [];
  });
}

const STRING = String.raw`("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\x60(?:[^\x60\\$]|\\.)*\x60)`;

function unquote(literal: string): string {
  return literal
    .slice(1, -1)
    .replace(/\\n/g, "\n")
    .replace(/\\(["'`\\])/g, "$1");
}

/** Every template of a t(...), msg(...) or the second of a tn(...) call in a source text. */
function templates(text: string): string[] {
  const source = text.replace(/\/\*[\s\S]*?\*\//g, "");
  const found = [...source.matchAll(new RegExp(String.raw`\b(?:t|msg)\(\s*${STRING}`, "g"))].map((m) => m[1]!);
  const counted = [...source.matchAll(new RegExp(String.raw`\btn\(\s*${STRING}\s*,\s*${STRING}`, "g"))].map(
    (m) => m[2]!,
  );
  return [...found, ...counted].map(unquote);
}

function chinese(): Record<string, string> {
  const files = readdirSync(ZH).filter((name) => name.endsWith(".json"));
  return Object.assign({}, ...files.map((name) => JSON.parse(readFileSync(join(ZH, name), "utf8"))));
}

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)/g)].map((match) => match[1]).sort();

afterEach(() => setTexts({}));

describe("the Chinese texts", () => {
  const texts = chinese();

  it("have an entry for every template in the source", () => {
    const missing = new Set<string>();
    for (const path of sources(SRC)) {
      for (const template of templates(readFileSync(path, "utf8"))) {
        if (!(template in texts)) {
          missing.add(template);
        }
      }
    }
    expect([...missing]).toEqual([]);
  });

  it("keep every placeholder of the English template", () => {
    const wrong = Object.entries(texts).filter(([template, text]) =>
      placeholders(text).some((name) => !placeholders(template).includes(name)),
    );
    expect(wrong).toEqual([]);
  });
});

describe("t", () => {
  it("fills placeholders and formats numbers", () => {
    expect(t("{shown} of {total} points", { shown: 1000, total: 412337 })).toBe("1,000 of 412,337 points");
  });

  it("leaves an unknown placeholder as it is", () => {
    expect(t("Hello {name}", {})).toBe("Hello {name}");
  });

  it("looks the template up in the language of the page", () => {
    setTexts({ "Delete {name}?": "删除 {name}？" });
    expect(t("Delete {name}?", { name: "A" })).toBe("删除 A？");
  });

  it("ignores a format specification of an engine's template", () => {
    expect(t("{x:.3f} s", { x: 0.25 })).toBe("0.25 s");
  });
});

describe("tn", () => {
  it("uses the form for one in English", () => {
    expect(tn("{count} run", "{count} runs", 1)).toBe("1 run");
    expect(tn("{count} run", "{count} runs", 3)).toBe("3 runs");
  });

  it("uses the one form of a language that has no plural", () => {
    setTexts({ "{count} runs": "{count} 次运行" });
    expect(tn("{count} run", "{count} runs", 1)).toBe("1 次运行");
  });
});

it("an error is translated by its template", () => {
  setTexts({ "{n} rows are ragged": "有 {n} 行不整齐" });
  expect(tError({ message: "3 rows are ragged", template: "{n} rows are ragged", values: { n: 3 } })).toBe(
    "有 3 行不整齐",
  );
});
