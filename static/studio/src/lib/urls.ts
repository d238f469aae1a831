/** Addresses of the studio's pages. The server's `webapp/urls.py` is their other half. */

export const urls = {
  projects: (workspace: string) => `/w/${workspace}/`,
  members: (workspace: string) => `/w/${workspace}/members`,
  queue: (workspace: string) => `/w/${workspace}/queue`,
  pipelines: (project: string) => `/p/${project}/pipelines`,
  pipeline: (project: string, id: string) => `/p/${project}/pipelines/${id}`,
  runs: (project: string) => `/p/${project}/runs`,
  run: (project: string, id: string) => `/p/${project}/runs/${id}`,
  compare: (project: string, ids: readonly string[]) => `/p/${project}/compare?runs=${ids.join(",")}`,
  models: (project: string) => `/p/${project}/models`,
  model: (project: string, id: string) => `/p/${project}/models/${id}`,
  data: (project: string) => `/p/${project}/data`,
  dataFile: (project: string, id: string) => `/p/${project}/data/${id}`,
  start: (project: string) => `/p/${project}/start`,
};

/** A file of an artifact, as the server sends it for download. */
export function artifactFile(workspace: string, digest: string, name: string): string {
  return `/api/v1/workspaces/${workspace}/artifacts/${digest}/files/${encodeURIComponent(name)}`;
}
