// Becomes xmcp.config.ts.
// biome-ignore lint/style/noDefaultExport: it is what xmcp loads.
export default {
  http: { port: Number(process.env.PORT), host: '127.0.0.1' },
  paths: { tools: './src/tools', prompts: false, resources: false },
  typescript: { skipTypeCheck: true },
}
