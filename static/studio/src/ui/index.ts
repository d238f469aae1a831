/** The studio's user interface kit; pages and the builder import from here. */
export { Button, IconButton, LinkButton } from "./Button";
export { Dialog, FormDialog } from "./Dialog";
export { DropZone } from "./DropZone";
export { Checkbox, Field, Input, Segmented, Select, Textarea } from "./Field";
export { Icon, type IconName } from "./Icon";
export { Menu, type MenuItem } from "./Menu";
export { usePageProps } from "./PageFrame";
export {
  Badge,
  EmptyState,
  ErrorState,
  LoadingState,
  Notice,
  Progress,
  StatusBadge,
  statusLabel,
  type Tone,
} from "./states";
export { Tabs } from "./Tabs";
export { useToast } from "./Toast";
