/** A value that is there to be copied: a link, an API key. */
import { useState } from "react";
import { t } from "../../i18n";
import { Button, Input } from "../../ui";

export function CopyField({ label, value }: { label: string; value: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(value);
    setCopied(true);
  };
  return (
    <div className="row">
      <Input
        readOnly
        className="mono"
        aria-label={label}
        value={value}
        onFocus={(event) => event.currentTarget.select()}
      />
      <Button icon={copied ? "check" : "copy"} onClick={() => void copy()}>
        {copied ? t("Copied") : t("Copy")}
      </Button>
    </div>
  );
}
