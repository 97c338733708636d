/** Chinese for the API's stable problem codes; an unknown code shows the server's sentence.
 * English needs none: the server speaks it. */
export const codes: Record<string, { message: string; remedy: string }> = {
  'too-many-attempts': { message: '登录失败次数过多，已暂停登录。', remedy: '请几分钟后再试。' },
  unauthenticated: {
    message: '用户名或密码错误，或登录链接已失效。',
    remedy: '请重试；登录链接只能使用一次，必要时请联系 PACS 管理员。',
  },
  'role-not-allowed': {
    message: '您的角色无权查看此页面。',
    remedy: '如确有需要，请联系个人信息保护负责人。',
  },
  denied: { message: '访问策略不允许此操作。', remedy: '请核对检查申请单，或联系申请科室。' },
  'unknown-recipient': {
    message: '此账号不是影像接收方。',
    remedy: '请联系 PACS 管理员登记。',
  },
  'not-found': { message: '没有找到该对象。', remedy: '请核对编号，或返回列表重新选择。' },
  unavailable: { message: '服务暂时不可用。', remedy: '请稍后重试；若持续出现，请联系 PACS 管理员。' },
  storage: {
    message: '存储写入失败，为保证存证完整已停止送出影像。',
    remedy: '请联系 PACS 管理员检查磁盘空间。',
  },
  integrity: {
    message: '完整性校验未通过，已停止送出影像。',
    remedy: '请勿继续使用该影像，并联系安全团队。',
  },
  'bad-input': { message: '无法识别提交的内容。', remedy: '请检查文件后重试。' },
  'invalid-request': { message: '请求不完整或格式不正确。', remedy: '请刷新页面后重试。' },
  undecodable: {
    message: '影像数据无法解码。',
    remedy: '请重试；若仍失败，请从设备重新发送该胸片。',
  },
  'not-dicom': {
    message: '不是 DICOM Part 10 文件。',
    remedy: '请从设备或 PACS 以 DICOM 格式导出后重新发送。',
  },
  malformed: {
    message: 'DICOM 文件被截断或格式损坏，无法解析。',
    remedy: '请从来源重新发送，并检查传输是否出错。',
  },
  truncated: { message: '像素数据不完整。', remedy: '文件被截断，请从设备重新发送。' },
  incomplete: { message: '对象缺少必要的标识属性。', remedy: '请发送完整的 SOP Instance。' },
  'no-pixel-data': {
    message: '对象不含像素数据，没有可以加密遮盖的胸片。',
    remedy: '请只发送影像对象；如确认无误可人工放行。',
  },
  'unknown-transfer-syntax': {
    message: '传输语法未知。',
    remedy: '请让设备使用标准传输语法，例如 Explicit VR Little Endian。',
  },
  'too-large': {
    message: '对象超过允许的大小。',
    remedy: '请核对行数和列数；确属正常影像时请调高上限。',
  },
  nesting: { message: '序列嵌套层数过深。', remedy: '请人工检查该对象；确属正常时请调高上限。' },
  unreadable: { message: '对象无法读取。', remedy: '请人工检查该对象，放行或删除。' },
  'uid-conflict': {
    message: '已存在 SOP Instance UID 相同而内容不同的对象。',
    remedy: '请核对来源，确认哪一份正确后再处理。',
  },
  'not-sealed': { message: '对象没有正确加密遮盖。', remedy: '请在前置网关重新处理原件。' },
  'not-deidentified': { message: '对象没有去标识化。', remedy: '请经由前置网关发送。' },
  'archive-refused': {
    message: '归档拒绝接收该对象。',
    remedy: '请查看原因，处理后重新放行。',
  },
  'pipeline-failure': {
    message: '前置网关处理该对象时出错。',
    remedy: '请保留该对象，并把日志中的错误信息报告给管理员。',
  },
};
