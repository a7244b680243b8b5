/** Signatures of the records of zip archives, and their lengths without names, extra fields and comments (APPNOTE.TXT of PKWARE). */

/** Header before the bytes of an entry. */
export const LOCAL_HEADER = 0x04034b50, LOCAL_HEADER_BYTES = 30;

export const DIRECTORY_ENTRY = 0x02014b50, DIRECTORY_ENTRY_BYTES = 46;

/** End of the directory. */
export const END = 0x06054b50, END_BYTES = 22;

/** Locator of the 64-bit end of the directory. */
export const END_LOCATOR_64 = 0x07064b50, END_LOCATOR_64_BYTES = 20;

/** 64-bit end of the directory. */
export const END_64 = 0x06064b50, END_64_BYTES = 56;

/** Values of a 32-bit or 16-bit field that refer to the 64-bit extension. */
export const IN_EXTENSION_32 = 0xffffffff, IN_EXTENSION_16 = 0xffff;
