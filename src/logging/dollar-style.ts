// Formats in the style of string.Template: `${asctime} $levelname $message`, by the rules of
// https://docs.python.org/3/library/string.html#template-strings.

import type { LogRecord } from "./record.ts";
import { attributeOf, joinPieces, type PlacedPiece, plainText, type TimeText, wrongFormat } from "./style.ts";

const field = /\$(?:(\$)|([_a-z][_a-z0-9]*)|\{([_a-z][_a-z0-9]*)\})?/gi;

/** A function that writes a record by `format`. Throws TabPyError `config` for what Python would refuse. */
export function compileDollarStyle(format: string, timeText: TimeText): (record: LogRecord) => string {
  const pieces: (string | PlacedPiece)[] = [];
  let end = 0;
  let fields = 0;
  for (const match of format.matchAll(field)) {
    const [whole, escaped, named, braced] = match;
    pieces.push(format.slice(end, match.index));
    end = match.index + whole.length;
    if (escaped !== undefined) {
      pieces.push("$");
      continue;
    }
    const name = named ?? braced;
    if (name === undefined) throw wrongFormat('"$name", or "$$" for a dollar sign, got "$"');
    fields++;
    const attribute = attributeOf(name, timeText);
    pieces.push({ piece: plainText(attribute), isOwn: attribute.isOwn });
  }
  pieces.push(format.slice(end));
  if (fields === 0) throw wrongFormat('at least one "$name"');
  return joinPieces(pieces);
}
