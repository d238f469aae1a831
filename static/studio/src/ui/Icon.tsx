/** The studio's icons: strokes on a 24-unit grid, drawn for it. Decorative unless given a `label`. */

const PATHS = {
  account: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 20c1-4 4-6 8-6s7 2 8 6",
  back: "M20 12H5m6-7-7 7 7 7",
  chart: "M4 4v16h16M8 15l4-5 3 3 5-7",
  check: "m5 12.5 4.5 4.5L19 7",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-14v5l3.5 2",
  close: "m6 6 12 12M18 6 6 18",
  columns: "M4 5h16v14H4zM10 5v14M15 5v14",
  compress: "M4 9h5V4M20 9h-5V4M4 15h5v5M20 15h-5v5",
  compare: "M6 4v16M18 4v16M3 8h6m-6 4h6m6-2h6m-6 4h6",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  device: "M7 7h10v10H7zM10 3v4m4-4v4m-4 10v4m4-4v4M3 10h4m-4 4h4m10-4h4m-4 4h4",
  down: "m6 9 6 6 6-6",
  download: "M12 4v11m-5-4 5 5 5-5M4 20h16",
  edit: "M4 20h4L19 9l-4-4L4 16v4ZM13 7l4 4",
  error: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-13v5m0 3.2v.1",
  external: "M9 5H5v14h14v-4M13 5h6v6m0-6-9 9",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  filter: "M4 5h16l-6 8v6l-4-2v-4z",
  folder: "M3 6h6l2 2h10v11H3z",
  graph: "M4 5h6v5H4zM14 14h6v5h-6zM10 7.5h4a3 3 0 0 1 3 3V14",
  image: "M4 5h16v14H4zM4 16l5-5 5 5 2-2 4 4M15 9.5v.1",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-10v5m0-8.2v.1",
  key: "M8 19a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm3-7 9-9m-4 4 3 3",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1m2 4a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  minus: "M5 12h14",
  model: "m12 3 8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  note: "M5 4h14v10l-5 6H5zM14 20v-6h5",
  play: "M7 4.5v15l12-7.5z",
  plus: "M12 5v14M5 12h14",
  queue: "M4 6h16M4 12h16M4 18h10",
  redo: "M20 9H9a5 5 0 0 0 0 10h5M16 5l4 4-4 4",
  refresh: "M20 11a8 8 0 0 0-14-4L4 9m0-5v5h5M4 13a8 8 0 0 0 14 4l2-2m0 5v-5h-5",
  right: "m9 6 6 6-6 6",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm5-2 4 4",
  settings:
    "M4 7h10m4 0h2M4 17h2m4 0h10M16 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Zm-8 10a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z",
  skip: "M5 5v14l9-7zM18 5v14",
  sort: "M8 5v14m-4-4 4 4 4-4M16 19V5m-4 4 4-4 4 4",
  spinner: "M12 3a9 9 0 1 1-9 9",
  stop: "M6 6h12v12H6z",
  table: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9",
  tag: "M4 4h8l8 8-8 8-8-8zM8.5 8.5h.01",
  trash: "M5 7h14M10 7V4h4v3m-7 0 1 13h8l1-13",
  undo: "M4 9h11a5 5 0 0 1 0 10h-5M8 5 4 9l4 4",
  up: "m6 15 6-6 6 6",
  upload: "M12 16V5m-5 4 5-5 5 5M4 20h16",
  users:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c.7-3.5 3-5.5 6.500-5.500s5.800 2 6.500 5.500M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14.800c2 .8 3.100 2.700 3.500 5.200",
  warning: "M12 4 2.500 20h19zM12 10v4.500m0 2.700v.1",
  zoom: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm5-2 4 4M8 11h6m-3-3v6",
} as const;

export type IconName = keyof typeof PATHS;

export interface IconProps {
  name: IconName;
  size?: number;
  label?: string;
  className?: string;
}

export function Icon({ name, size = 16, label, className = "" }: IconProps) {
  const filled = name === "play" || name === "stop";
  return (
    <svg
      className={`icon ${name === "spinner" ? "spin" : ""} ${className}`}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={filled ? "currentColor" : "none"}
      stroke="currentColor"
      strokeWidth={name === "more" || name === "list" ? 2.4 : 1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
      role={label ? "img" : undefined}
      aria-label={label}
      aria-hidden={label ? undefined : true}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
