/** Control characters, except tabs and line feeds, and those that set the direction of writing. */
const hidden = /(?![\t\n])\p{Cc}|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Text with a picture in place of every character that would change how what follows is shown. A terminal or page then shows all of
 * it, as it stands.
 */
export function visibleText(text: string): string {
  return text.replace(hidden, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code); // the block of control pictures
    return `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
  });
}
