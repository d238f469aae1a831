/** A menu that opens from a button: arrow keys, Home, End, Escape; closes on a click elsewhere. */
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { Button, IconButton } from "./Button";
import { Icon, type IconName } from "./Icon";

export interface MenuItem {
  label: string;
  icon?: IconName;
  onSelect?: () => void;
  href?: string;
  danger?: boolean;
  disabled?: boolean;
  checked?: boolean;
}

export interface MenuProps {
  label: string;
  items: (MenuItem | "separator")[];
  icon?: IconName;
  /** Show the label beside the icon. */
  text?: ReactNode;
  small?: boolean;
  variant?: "default" | "primary" | "quiet";
  keepOpen?: boolean;
}

export function Menu({ label, items, icon = "more", text, small, variant, keepOpen }: MenuProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLSpanElement>(null);
  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) {
      button.current?.querySelector("button")?.focus();
    }
  };
  const props = { "aria-haspopup": "menu" as const, "aria-expanded": open, onClick: () => setOpen(!open) };
  return (
    <span ref={button}>
      {text ? (
        <Button icon={icon} small={small} variant={variant} {...props}>
          {text}
          <Icon name="down" size={12} />
        </Button>
      ) : (
        <IconButton icon={icon} label={label} small={small} {...props} />
      )}
      {open && <MenuPanel label={label} items={items} anchor={button.current} close={close} keepOpen={keepOpen} />}
    </span>
  );
}

interface PanelProps {
  label: string;
  items: MenuProps["items"];
  anchor: HTMLElement | null;
  close: (refocus: boolean) => void;
  keepOpen?: boolean;
}

function MenuPanel({ label, items, anchor, close, keepOpen }: PanelProps) {
  const panel = useRef<HTMLDivElement>(null);
  const closeRef = useRef(close);
  closeRef.current = close;

  useLayoutEffect(() => {
    const menu = panel.current;
    if (!menu || !anchor) {
      return;
    }
    const at = anchor.getBoundingClientRect();
    const left = Math.min(at.left, window.innerWidth - menu.offsetWidth - 8);
    const below = at.bottom + 4;
    const top = below + menu.offsetHeight > window.innerHeight ? at.top - menu.offsetHeight - 4 : below;
    menu.style.left = `${Math.max(8, left)}px`;
    menu.style.top = `${Math.max(8, top)}px`;
    menu.querySelector<HTMLElement>('[role^="menuitem"]:not(:disabled)')?.focus();
  }, [anchor]);

  useEffect(() => {
    const outside = (event: Event) => {
      const target = event.target as Node;
      if (!panel.current?.contains(target) && !anchor?.contains(target)) {
        closeRef.current(false);
      }
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [anchor]);

  const keys = (event: KeyboardEvent) => {
    const all = [...(panel.current?.querySelectorAll<HTMLElement>('[role^="menuitem"]:not(:disabled)') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      all[(next + all.length) % all.length]?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      close(true);
    }
  };

  const host = anchor?.closest("dialog") ?? document.body;
  return createPortal(
    <div ref={panel} className="menu menu-panel" role="menu" aria-label={label} onKeyDown={keys}>
      {items.map((item, index) =>
        item === "separator" ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: separators have no identity
          <hr key={index} />
        ) : (
          <MenuEntry key={item.label} item={item} close={close} keepOpen={keepOpen} />
        ),
      )}
    </div>,
    host,
  );
}

function MenuEntry({ item, close, keepOpen }: { item: MenuItem; close: PanelProps["close"]; keepOpen?: boolean }) {
  const content = (
    <>
      {item.checked !== undefined && (
        <span style={{ width: 16 }}>{item.checked && <Icon name="check" size={14} />}</span>
      )}
      {item.icon && <Icon name={item.icon} size={14} />}
      {item.label}
    </>
  );
  if (item.href) {
    return (
      <a role="menuitem" href={item.href}>
        {content}
      </a>
    );
  }
  return (
    <button
      type="button"
      {...(item.checked === undefined
        ? { role: "menuitem" }
        : { role: "menuitemcheckbox", "aria-checked": item.checked })}
      className={item.danger ? "menu-danger" : undefined}
      disabled={item.disabled}
      onClick={() => {
        if (!keepOpen) {
          close(true);
        }
        item.onSelect?.();
      }}
    >
      {content}
    </button>
  );
}
