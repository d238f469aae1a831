/** Buttons and links that look like buttons. A busy button keeps its width and shows a spinner. */
import type { AnchorHTMLAttributes, ButtonHTMLAttributes, ReactNode } from "react";
import { Icon, type IconName } from "./Icon";

type Variant = "default" | "primary" | "danger" | "quiet";

interface Look {
  variant?: Variant;
  small?: boolean;
  icon?: IconName;
}

function classes({ variant = "default", small }: Look, extra = ""): string {
  return ["button", variant !== "default" && `button-${variant}`, small && "button-small", extra]
    .filter(Boolean)
    .join(" ");
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement>, Look {
  busy?: boolean;
}

export function Button({ variant, small, icon, busy, className, children, disabled, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={classes({ variant, small }, className)}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {busy ? <Icon name="spinner" /> : icon && <Icon name={icon} size={small ? 14 : 16} />}
      {children}
    </button>
  );
}

export interface LinkButtonProps extends AnchorHTMLAttributes<HTMLAnchorElement>, Look {
  children?: ReactNode;
}

export function LinkButton({ variant, small, icon, className, children, ...rest }: LinkButtonProps) {
  return (
    <a className={classes({ variant, small }, className)} {...rest}>
      {icon && <Icon name={icon} size={small ? 14 : 16} />}
      {children}
    </a>
  );
}

export interface IconButtonProps extends Omit<ButtonProps, "children"> {
  icon: IconName;
  label: string;
}

/** A button that is only an icon; its label is read aloud and shown as a tooltip. */
export function IconButton({ icon, label, variant = "quiet", small, busy, className = "", ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      className={classes({ variant, small }, `button-icon ${className}`)}
      aria-label={label}
      title={label}
      {...rest}
    >
      <Icon name={busy ? "spinner" : icon} size={small ? 14 : 16} />
    </button>
  );
}
