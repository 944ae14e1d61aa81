/** Files that are imported as text: they are read when the plugin is built. */
declare module "*.sql" {
  const text: string;
  export default text;
}
