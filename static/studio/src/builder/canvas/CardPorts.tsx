/** The ports of a card: a coloured dot and a name each, inputs on the left, outputs on the right. */
import { Handle, Position } from "@xyflow/react";
import { memo } from "react";
import type { InputPort, OutputPort } from "../../graph/types";
import { t } from "../../i18n";
import { useBuilderState } from "../store/context";
import { words } from "../texts";
import { kindColour } from "./kinds";

interface CardPortsProps {
  readonly id: string;
  readonly inputs: readonly InputPort[];
  readonly outputs: readonly OutputPort[];
}

export const CardPorts = memo(function CardPorts({ id, inputs, outputs }: CardPortsProps) {
  if (inputs.length + outputs.length === 0) return null;
  return (
    <div className="block-ports">
      <div>
        {inputs.map((input) => (
          <Port
            key={input.name}
            address={`${id}.${input.name}`}
            kind={input.kinds[0] ?? "other"}
            side="input"
            hint={inputHint(input)}
            optional={input.optional}
            many={input.many}
          />
        ))}
      </div>
      <div>
        {outputs.map((output) => (
          <Port
            key={output.name}
            address={`${id}.${output.name}`}
            kind={output.kind}
            side="output"
            hint={t("{port}: gives {kind}", { port: words(output.name), kind: t(output.kind) })}
          />
        ))}
      </div>
    </div>
  );
});

function inputHint(input: InputPort): string {
  const kinds = input.kinds.map((kind) => t(kind)).join(", ");
  if (input.many) return t("{port}: takes several {kind}", { port: words(input.name), kind: kinds });
  return input.optional
    ? t("{port}: takes {kind}, optional", { port: words(input.name), kind: kinds })
    : t("{port}: takes {kind}", { port: words(input.name), kind: kinds });
}

interface PortProps {
  readonly address: string;
  readonly kind: string;
  readonly side: "input" | "output";
  readonly hint: string;
  readonly optional?: boolean;
  readonly many?: boolean;
}

function Port({ address, kind, side, hint, optional, many }: PortProps) {
  const name = address.slice(address.indexOf(".") + 1);
  const fits = useBuilderState((state) => state.connecting?.fits.has(address) === true);
  const isStart = useBuilderState(
    (state) => state.connecting?.port.address === address && state.connecting.port.direction === side,
  );
  return (
    <div className="block-port" data-side={side} title={hint}>
      <Handle
        id={name}
        type={side === "input" ? "target" : "source"}
        position={side === "input" ? Position.Left : Position.Right}
        className="port"
        data-optional={optional || undefined}
        data-many={many || undefined}
        data-fits={fits || undefined}
        data-start={isStart || undefined}
        style={{ "--kind": kindColour(kind) } as React.CSSProperties}
      />
      <span>{t(words(name))}</span>
    </div>
  );
}
