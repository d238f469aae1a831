/** "Connect to...": every port of a block and what fits it, for keyboard and screen reader. */
import { useMemo } from "react";
import { compatiblePorts, type Direction, type PortRef, specOf } from "../../graph/connections";
import { splitAddress } from "../../graph/document";
import { t } from "../../i18n";
import { Dialog, Icon } from "../../ui";
import { kindColour } from "../canvas/kinds";
import { openSearch } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";
import { edit } from "../store/edits";
import { documentOf } from "../store/state";
import { blockTitle, words } from "../texts";

export function ConnectMenu() {
  const menu = useBuilderState((state) => state.connectMenu);
  return menu ? <ConnectDialog block={menu.block} /> : null;
}

function ConnectDialog({ block }: { block: string }) {
  const { store } = useBuilder();
  const document_ = useBuilderState(documentOf);
  const catalog = useBuilderState((state) => state.catalog);
  const spec = specOf(document_, catalog, block);
  const entry = document_.blocks[block];
  const close = () => store.setState({ connectMenu: null });
  if (!entry) return null;
  return (
    <Dialog title={t("Connect {block} to…", { block: blockTitle(entry, spec) })} onClose={close}>
      <div className="connect-menu">
        {spec?.outputs.map((output) => (
          <PortChoices
            key={`o${output.name}`}
            block={block}
            name={output.name}
            kind={output.kind}
            direction="output"
            close={close}
          />
        ))}
        {spec?.inputs.map((input) => (
          <PortChoices
            key={`i${input.name}`}
            block={block}
            name={input.name}
            kind={input.kinds[0] ?? ""}
            direction="input"
            close={close}
          />
        ))}
      </div>
    </Dialog>
  );
}

interface PortChoicesProps {
  readonly block: string;
  readonly name: string;
  readonly kind: string;
  readonly direction: Direction;
  readonly close: () => void;
}

function PortChoices({ block, name, kind, direction, close }: PortChoicesProps) {
  const { store } = useBuilder();
  const document_ = useBuilderState(documentOf);
  const catalog = useBuilderState((state) => state.catalog);
  const port: PortRef = useMemo(() => ({ address: `${block}.${name}`, direction }), [block, name, direction]);
  const fits = useMemo(() => [...compatiblePorts(document_, catalog, port)], [document_, catalog, port]);
  const wired = new Set(document_.wires.map(([from, to]) => `${from}>${to}`));
  const connect = (other: string) => {
    const [from, to] = direction === "output" ? [port.address, other] : [other, port.address];
    if (edit(store, [{ op: wired.has(`${from}>${to}`) ? "disconnect" : "connect", from, to }])) close();
  };
  return (
    <section>
      <h3>
        <i style={{ background: kindColour(kind) }} />
        {direction === "output" ? t("Output {port}", { port: words(name) }) : t("Input {port}", { port: words(name) })}
      </h3>
      {fits.map((other) => {
        const target = document_.blocks[splitAddress(other).block];
        const on = wired.has(direction === "output" ? `${port.address}>${other}` : `${other}>${port.address}`);
        return (
          <button key={other} type="button" aria-pressed={on} onClick={() => connect(other)}>
            <Icon name={on ? "check" : direction === "output" ? "right" : "back"} size={14} />
            <span>{target && blockTitle(target, catalog.blocks[target.type])}</span>
            <small className="mono" translate="no">
              {other}
            </small>
          </button>
        );
      })}
      <button
        type="button"
        onClick={() => {
          close();
          openSearch(store, { port });
        }}
      >
        <Icon name="plus" size={14} />
        <span>{t("A new block that fits…")}</span>
      </button>
    </section>
  );
}
