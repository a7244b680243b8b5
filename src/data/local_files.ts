/** Files that the user has. */
import { join, relative } from "node:path";
import { InputRangeError } from "../errors.ts";
import { ifThere, makeFolderOf, openContent, writeAtomically } from "../files.ts";

/** Most files of a folder that is searched. */
const mostFound = 200_000;

/** Writes a file, whole or not at all, and makes its folder where there is none. */
export async function writeFile(
  target: string,
  content: Parameters<typeof writeAtomically>[1],
): Promise<void> {
  await makeFolderOf(target);
  await writeAtomically(target, content);
}

/** Copies a file, uncompressed where its name ends in `.gz`; it takes its name when it is whole. */
export async function copyFile(from: string, target: string): Promise<void> {
  await writeFile(target, await openContent(from));
}

/** A file, or the regular files below a folder, in the order of their paths; links to files count, those to folders do not. */
export async function filesAt(folder: string): Promise<string[]> {
  if (!(await Deno.stat(folder)).isDirectory) return [folder];
  const files: string[] = [], open = [folder];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for await (const { name, isDirectory, isFile, isSymlink } of Deno.readDir(next)) {
      const path = join(next, name);
      if (isDirectory && name !== ".git") open.push(path);
      const isLinked = isSymlink && (await ifThere(Deno.stat(path)))?.isFile;
      if (isFile || isLinked) files.push(path);
      if (files.length > mostFound) {
        throw new InputRangeError(
          `Cannot search "${folder}" as it has more than ${mostFound} files: name a folder below it`,
        );
      }
    }
  }
  return files.sort((a, b) => relative(folder, a) < relative(folder, b) ? -1 : 1);
}
