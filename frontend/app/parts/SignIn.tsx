/** Another machine's app asks for the token that it printed. */

import { useSignal } from "@preact/signals";
import { ApiError, api } from "../api";
import { greet } from "../store/session";
import { t, trouble } from "../text";

export function SignIn({ onEnter }: { onEnter: () => void }) {
  const token = useSignal("");
  const problem = useSignal("");
  const enter = async (event: Event): Promise<void> => {
    event.preventDefault();
    try {
      await api.signIn(token.value.trim());
      await greet();
      onEnter();
    } catch (error) {
      problem.value = error instanceof ApiError && error.status === 401 ? t("sign-in.wrong") : trouble(error);
    }
  };
  return (
    <main class="sign-in">
      <form onSubmit={(event) => void enter(event)}>
        <h1>{t("sign-in")}</h1>
        <p class="quiet">{t("sign-in.help")}</p>
        <label class="field">
          <span class="name">{t("sign-in.token")}</span>
          <input type="password" autocomplete="off" value={token.value} onInput={(event) => (token.value = event.currentTarget.value)} />
        </label>
        {problem.value && <p class="problem" role="alert">{problem.value}</p>}
        <button type="submit" class="button primary"><span>{t("sign-in.enter")}</span></button>
      </form>
    </main>
  );
}
