/**
 * The one place that talks to the REST API. Every page and the builder go through it.
 *
 * Sends the session's CSRF token, turns every failure into an `ApiError` that carries the server's
 * error (kind, template, hint), and retries nothing on its own: an idempotent caller passes a key.
 */
import { msg, t, tError } from "../i18n";
import type { StudioErrorJson } from "./types";

const ROOT = "/api/v1";

/** A failed request: the HTTP status (0 when the server was not reached) and the server's error. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly error: StudioErrorJson,
    readonly body: unknown = null,
  ) {
    super(tError(error));
    this.name = "ApiError";
  }

  /** True when trying the same request again may succeed. */
  get transient(): boolean {
    return this.status === 0 || this.status >= 500 || this.error.kind === "transient";
  }

  /** What to do next, translated, or null. */
  get hint(): string | null {
    if (!this.error.hint) {
      return null;
    }
    return t(this.error.hint_template ?? this.error.hint, this.error.values);
  }
}

let csrfToken = "";

/** Remember the page's CSRF token; called once by `main.tsx`. */
export function setCsrf(token: string): void {
  csrfToken = token;
}

export function apiUrl(path: string): string {
  return path.startsWith("/api/") ? path : ROOT + path;
}

function userError(message: string, kind: StudioErrorJson["kind"] = "user"): StudioErrorJson {
  return { kind, message, template: message };
}

function fallbackError(status: number): StudioErrorJson {
  if (status === 403) {
    return userError(msg("You may not do this."));
  }
  if (status === 404) {
    return userError(msg("This was not found. It may have been deleted."));
  }
  if (status === 413) {
    return userError(msg("The file is too large."));
  }
  return userError(msg("The server could not answer. Try again in a moment."), "transient");
}

export function toApiError(status: number, text: string): ApiError {
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    return new ApiError(status, fallbackError(status), text);
  }
  const error = (body as { error?: StudioErrorJson } | null)?.error;
  return new ApiError(status, error?.message ? error : fallbackError(status), body);
}

export const unreachable = () =>
  new ApiError(0, userError(msg("The server cannot be reached. Check the connection; nothing is lost."), "transient"));

interface RequestOptions {
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  if (method !== "GET") {
    headers["X-CSRFToken"] = csrfToken;
  }
  let body: BodyInit | undefined;
  if (options.body instanceof FormData) {
    body = options.body;
  } else if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await fetch(apiUrl(path), {
      method,
      headers,
      body,
      signal: options.signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") {
      throw error;
    }
    throw unreachable();
  }
  const text = await response.text();
  if (response.status === 401) {
    window.location.assign(`/login?next=${encodeURIComponent(window.location.pathname + window.location.search)}`);
  }
  if (!response.ok) {
    throw toApiError(response.status, text);
  }
  return (text ? JSON.parse(text) : null) as T;
}

export const api = {
  get: <T>(path: string, signal?: AbortSignal) => request<T>("GET", path, { signal }),
  post: <T>(path: string, body: unknown = {}, headers?: Record<string, string>) =>
    request<T>("POST", path, { body, headers }),
  patch: <T>(path: string, body: unknown) => request<T>("PATCH", path, { body }),
  put: <T>(path: string, body: unknown) => request<T>("PUT", path, { body }),
  del: <T = null>(path: string) => request<T>("DELETE", path),
};

/** A header that makes a submit safe to repeat: the server answers a repeated key with the first result. */
export function idempotencyKey(): Record<string, string> {
  return { "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
}

/** Build a query string from defined values only. */
export function query(values: Record<string, string | number | undefined | null>): string {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") {
      parts.set(key, String(value));
    }
  }
  const text = parts.toString();
  return text ? `?${text}` : "";
}

export interface Upload<T> {
  done: Promise<T>;
  cancel: () => void;
}

/** Send a file with progress (bytes sent, bytes in all); `cancel` stops it and rejects with AbortError. */
export function uploadFile<T>(
  path: string,
  file: File,
  fields: Record<string, string> = {},
  onProgress?: (sent: number, total: number) => void,
): Upload<T> {
  const http = new XMLHttpRequest();
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    form.append(name, value);
  }
  form.append("file", file, file.name);
  const done = new Promise<T>((resolve, reject) => {
    http.upload.onprogress = (event) => onProgress?.(event.loaded, event.total);
    http.onload = () => {
      if (http.status >= 200 && http.status < 300) {
        resolve(JSON.parse(http.responseText) as T);
      } else {
        reject(toApiError(http.status, http.responseText));
      }
    };
    http.onerror = () => reject(unreachable());
    http.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    http.open("POST", apiUrl(path));
    http.setRequestHeader("X-CSRFToken", csrfToken);
    http.setRequestHeader("Accept", "application/json");
    http.send(form);
  });
  return { done, cancel: () => http.abort() };
}
