export function encrypt(password: string, text: string): Buffer;
