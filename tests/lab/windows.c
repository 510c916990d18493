/* What a Windows host has and Wine has not: one program, which does what its file is called.

   session     what OpenSSH for Windows does with a command: "cmd.exe" /c "COMMAND"
   args        says its arguments, its variable QUELL_A and its directory; each ends with a NUL
   calc        leaves a file behind: the canary
   powershell  of PowerShell it knows the two things that quell asks it for, and runs no script:
               to end the processes with a name in their command line, and to obey an order
   docker      joins its stdin and stdout to the TCP port in QUELL_DOCKER, as
               `docker system dial-stdio` joins them to the engine's pipe
*/
#include <winsock2.h>
#include <windows.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tlhelp32.h>
#include <wchar.h>
#include <winternl.h>

#define LONGEST 32767

static void say(const wchar_t *text)
{
    static char bytes[LONGEST * 3];
    int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof bytes, NULL, NULL);
    fwrite(bytes, 1, size, stdout);
}

static int session(void)
{
    static wchar_t command[LONGEST], line[LONGEST + 20], shell[MAX_PATH];
    STARTUPINFOW start = {sizeof start};
    PROCESS_INFORMATION child;
    DWORD status;

    GetEnvironmentVariableW(L"SSH_ORIGINAL_COMMAND", command, LONGEST);
    SetEnvironmentVariableW(L"SSH_ORIGINAL_COMMAND", NULL);
    GetEnvironmentVariableW(L"ComSpec", shell, MAX_PATH);
    _snwprintf(line, LONGEST + 20, L"\"cmd.exe\" /c \"%ls\"", command);
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    /* Wine on a busy machine cannot always begin a process at once. */
    for (int tries = 0; !CreateProcessW(shell, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child);
         tries++) {
        if (tries == 20)
            return 255;
        Sleep(250);
    }
    CloseHandle(start.hStdInput);
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &status);
    return status;
}

static int args(int count, wchar_t **words)
{
    static wchar_t text[LONGEST];

    for (int i = 1; i < count; i++)
        say(words[i]);
    if (!GetEnvironmentVariableW(L"QUELL_A", text, LONGEST))
        text[0] = 0;
    say(text);
    GetCurrentDirectoryW(LONGEST, text);
    say(text);
    return 7;
}

static int calc(void)
{
    fclose(fopen("C:\\canary", "w"));
    return 0;
}

/* ── powershell ─────────────────────────────────────────────────────────────────────────────── */

static const wchar_t *decoded(const wchar_t *base64)
{
    static wchar_t text[LONGEST];
    const wchar_t *digits = L"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char *out = (unsigned char *)text;
    unsigned bits = 0, held = 0;

    for (const wchar_t *digit; *base64 && (digit = wcschr(digits, *base64)); base64++) {
        bits = bits << 6 | (unsigned)(digit - digits);
        held += 6;
        if (held >= 8)
            *out++ = bits >> (held -= 8);
    }
    return text;
}

static int has_in_its_line(DWORD pid, const wchar_t *name)
{
    static wchar_t line[LONGEST + 1];
    HANDLE process = OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, FALSE, pid);
    PROCESS_BASIC_INFORMATION basic;
    RTL_USER_PROCESS_PARAMETERS given;
    PEB peb;

    memset(line, 0, sizeof line);
    if (process && !NtQueryInformationProcess(process, 0, &basic, sizeof basic, NULL) &&
        ReadProcessMemory(process, basic.PebBaseAddress, &peb, sizeof peb, NULL) &&
        ReadProcessMemory(process, peb.ProcessParameters, &given, sizeof given, NULL))
        ReadProcessMemory(process, given.CommandLine.Buffer, line, given.CommandLine.Length, NULL);
    CloseHandle(process);
    return wcsstr(line, name) != NULL;
}

static void end(DWORD pid)
{
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0), process;
    PROCESSENTRY32W each = {sizeof each};

    process = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, pid);
    TerminateProcess(process, 1);
    WaitForSingleObject(process, 5000);
    CloseHandle(process);
    for (BOOL more = Process32FirstW(all, &each); more; more = Process32NextW(all, &each))
        if (each.th32ParentProcessID == pid)
            end(each.th32ProcessID);
    CloseHandle(all);
}

static int end_all(const wchar_t *name)
{
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32W each = {sizeof each};

    for (BOOL more = Process32FirstW(all, &each); more; more = Process32NextW(all, &each))
        if (each.th32ProcessID != GetCurrentProcessId() && has_in_its_line(each.th32ProcessID, name))
            end(each.th32ProcessID);
    CloseHandle(all);
    return 0;
}

static int obey(const wchar_t *file)
{
    FILE *order = _wfopen(file, L"rb");
    int byte;

    if (!order)
        return 126;
    while ((byte = getc(order)) != EOF)
        putchar(byte);
    fclose(order);
    return _wremove(file);
}

static int powershell(int count, wchar_t **words)
{
    const wchar_t *text = decoded(words[count - 1]);
    wchar_t *found, *stop;

    if ((found = wcsstr(text, L"CommandLine LIKE '%"))) {
        found += wcslen(L"CommandLine LIKE '%");
        if ((stop = wcschr(found, L'%')))
            *stop = 0;
        return end_all(found);
    }
    if ((found = wcsstr(text, L"$env:USERPROFILE '"))) {
        found += wcslen(L"$env:USERPROFILE '");
        if ((stop = wcschr(found, L'\'')))
            *stop = 0;
        return obey(found);
    }
    fputs("this is not PowerShell\n", stderr);
    return 1;
}

/* ── docker ─────────────────────────────────────────────────────────────────────────────────── */

static DWORD WINAPI upwards(void *engine)
{
    char buffer[65536];
    DWORD size;

    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), buffer, sizeof buffer, &size, NULL) && size)
        if (send((SOCKET)engine, buffer, size, 0) < 0)
            break;
    shutdown((SOCKET)engine, SD_SEND);
    return 0;
}

static int docker(int count, wchar_t **words)
{
    struct sockaddr_in address = {AF_INET};
    const char *port = getenv("QUELL_DOCKER");
    WSADATA data;
    SOCKET engine;
    char buffer[65536];
    DWORD written;
    int size;

    if (count < 3 || wcscmp(words[2], L"npipe:////./pipe/docker_engine") || !port || !*port) {
        fputs("error during connect: The system cannot find the file specified.\n", stderr);
        return 1;
    }
    WSAStartup(MAKEWORD(2, 2), &data);
    engine = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((u_short)atoi(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(engine, (struct sockaddr *)&address, sizeof address)) {
        fputs("Cannot connect to the Docker daemon. Is the docker daemon running?\n", stderr);
        return 1;
    }
    CreateThread(NULL, 0, upwards, (void *)engine, 0, NULL);
    while ((size = recv(engine, buffer, sizeof buffer, 0)) > 0)
        WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), buffer, size, &written, NULL);
    return 0;
}

int wmain(int count, wchar_t **words)
{
    static wchar_t path[MAX_PATH];
    const wchar_t *called;

    GetModuleFileNameW(NULL, path, MAX_PATH);
    called = wcsrchr(path, L'\\') + 1;
    setvbuf(stdout, NULL, _IOFBF, 65536);
    _setmode(1, _O_BINARY);
    if (!wcsicmp(called, L"session.exe"))
        return session();
    if (!wcsicmp(called, L"calc.exe"))
        return calc();
    if (!wcsicmp(called, L"powershell.exe"))
        return powershell(count, words);
    if (!wcsicmp(called, L"docker.exe"))
        return docker(count, words);
    return args(count, words);
}
