/** Before and after side by side, with the change in the words of the trade. */
import { t } from "../i18n";
import { type BeforeAfterRow, toneOf } from "./comparison";
import styles from "./compression.module.css";
import { changeText, measureLabel, measureText } from "./words";

export function BeforeAfter({ rows }: { rows: readonly BeforeAfterRow[] }) {
  if (rows.length === 0) {
    return null;
  }
  return (
    <table className={`table ${styles.beforeAfter}`} aria-label={t("Before and after")}>
      <thead>
        <tr>
          <th>{t("Measure")}</th>
          <th className="numeric">{t("Before")}</th>
          <th className="numeric">{t("After")}</th>
          <th className="numeric">{t("Change")}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.measure}>
            <th scope="row">{measureLabel(row.measure)}</th>
            <td className="numeric">{measureText(row.measure, row.before)}</td>
            <td className="numeric">{measureText(row.measure, row.after)}</td>
            <td className="numeric" data-tone={toneOf(row)}>
              {changeText(row)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
