/** Signatures of the records of zip archives, and their lengths without names, extra fields and comments (APPNOTE.TXT of PKWARE). */

/** Header before the bytes of an entry. */
export const LOCAL_HEADER = { signature: 0x04034b50, bytes: 30 } as const;

export const DIRECTORY_ENTRY = { signature: 0x02014b50, bytes: 46 } as const;

/** End of the directory. */
export const END = { signature: 0x06054b50, bytes: 22 } as const;

/** Locator of the 64-bit end of the directory. */
export const END_LOCATOR_64 = { signature: 0x07064b50, bytes: 20 } as const;

/** 64-bit end of the directory. */
export const END_64 = { signature: 0x06064b50, bytes: 56 } as const;

/** Values of a 32-bit or 16-bit field that refer to the 64-bit extension. */
export const IN_EXTENSION = { bits32: 0xffffffff, bits16: 0xffff } as const;
