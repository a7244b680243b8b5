/** Makes locks of files succeed without locking anything: loaded before a process that is to believe in them. */
Deno.FsFile.prototype.tryLock = () => Promise.resolve(true);
