/** The basket: its ranges in order, and what can be made of them. */
import { Notice } from "../parts/notice";
import { timeText } from "../parts/times";
import { hrefOf } from "../route";
import { words } from "../words";
import { basket, removed, removeRanges, undoRemoval } from "./basket";
import { ExportForm } from "./export_form";
import { RangeRow } from "./range_row";

export function BasketPage() {
  const ranges = basket.value;
  const say = words.basket;
  const length = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  return (
    <div class="basket">
      <section aria-labelledby="basket-title">
        <header>
          <h1 id="basket-title">{words.pages.basket}</h1>
          <p class="hint">{ranges.length > 0 && say.length(ranges.length, timeText(length))}</p>
          {ranges.length > 0 && (
            <button type="button" onClick={() => removeRanges(ranges.map(({ id }) => id))}>
              {say.clear}
            </button>
          )}
        </header>
        <p class="undo" role="status">
          {removed.value.length > 0 && (
            <>
              {say.removed(removed.value.length)}{" "}
              <button type="button" onClick={undoRemoval}>
                {say.undo}
              </button>
            </>
          )}
        </p>
        {ranges.length === 0 && (
          <Notice title={say.empty}>
            <p>{say.emptyHint}</p>
            <a href={hrefOf("search")}>{words.pages.search}</a>
          </Notice>
        )}
        <ol aria-label={words.pages.basket}>
          {ranges.map((range, index) => (
            <RangeRow key={range.id} range={range} index={index} />
          ))}
        </ol>
      </section>
      <ExportForm />
    </div>
  );
}
