/** The sheet of keys. */
import { msg, t } from "../../i18n";
import { Dialog } from "../../ui";

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);
const COMMAND = isMac ? "⌘" : "Ctrl";

const GROUPS: readonly { title: string; keys: readonly (readonly [string, string])[] }[] = [
  {
    title: msg("Edit"),
    keys: [
      ["/", msg("Add a block")],
      ["C", msg("Connect the selected block to…")],
      [`${COMMAND} Z`, msg("Undo")],
      [`${COMMAND} Shift Z`, msg("Redo")],
      [`${COMMAND} C`, msg("Copy")],
      [`${COMMAND} X`, msg("Cut")],
      [`${COMMAND} V`, msg("Paste, also from another pipeline")],
      [`${COMMAND} D`, msg("Duplicate")],
      [`${COMMAND} B`, msg("Bypass or use again")],
      ["Delete", msg("Delete")],
    ],
  },
  {
    title: msg("Select and move"),
    keys: [
      ["Tab", msg("Next block or wire")],
      ["Enter", msg("Select the block in focus")],
      ["← ↑ ↓ →", msg("Move the selected blocks")],
      ["Shift", msg("Hold and drag: select an area")],
      [`${COMMAND} A`, msg("Select all")],
      ["Esc", msg("Select nothing")],
    ],
  },
  {
    title: msg("View and run"),
    keys: [
      ["F", msg("Zoom to fit")],
      ["I", msg("Inspector")],
      ["O", msg("Outline")],
      ["P", msg("Problems")],
      [`${COMMAND} Enter`, msg("Run all")],
      [".", msg("Cancel the run")],
      ["?", msg("This sheet")],
    ],
  },
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t("Keyboard")} onClose={onClose} wide>
      <div className="shortcuts">
        {GROUPS.map((group) => (
          <section key={group.title}>
            <h3>{t(group.title)}</h3>
            <dl>
              {group.keys.map(([keys, text]) => (
                <div key={keys}>
                  <dt>
                    {keys.split(" ").map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{t(text)}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
